import { fileURLToPath } from 'node:url'
import { expect, test, vi } from 'vitest'
import { attempt } from '../support/shell.ts'

const module = fileURLToPath(new URL('../support/cluster/child.ts', import.meta.url))

const crash = `
  import { Child } from ${JSON.stringify(module)}
  const child = new Child({ program: 'sleep', args: ['600'] })
  console.log(child.pid)
  process.kill(process.pid, 'SIGKILL')
`

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a server of the suite does not outlive a test that is killed', async () => {
  const { code, stdout } = await attempt(process.execPath, ['--input-type=module', '-e', crash])
  expect(code).toBeNull()
  const pid = Number(stdout)
  expect(pid).toBeGreaterThan(1)
  await vi.waitFor(() => expect(exists(pid)).toBe(false), { timeout: 10_000 })
})
