import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { run } from './shell.ts'

/** Ways to a network of one's own: as any user where that is allowed, else as root. */
const ways = [['-r', '-n'], ['-n']]

const way = ways.find((flags) => {
  const { status } = spawnSync('unshare', [...flags, 'ip', 'link'], { stdio: 'ignore' })
  return status === 0
})

/**
 * As `needs`, for a network namespace of the test's own.
 * @throws Error when none can be made and CI is set
 */
export function needsNamespace(): boolean {
  if (way) return true
  const line =
    'no network namespace can be made here, so the tests that need one are skipped; to run them: ' +
    'apt-get install iproute2 util-linux, and allow user namespaces or run as root (in a container: --privileged)'
  if (process.env['CI']) throw new Error(line)
  console.warn(line)
  return false
}

/**
 * A command in a network namespace of its own, which has nothing but a loopback interface; null where none can be made.
 * @returns the program and its arguments
 */
export function inOwnNetwork(command: readonly string[]): readonly [string, string[]] | null {
  if (!way) return null
  return ['unshare', [...way, 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', ...command]]
}

/**
 * Runs a module inside a network namespace of its own, which has nothing but these addresses: they are given to the loopback
 * interface, for which no module of the kernel is needed.
 * @param file beside this one
 * @returns what it printed
 */
export async function runInside(addresses: readonly string[], file: string): Promise<string> {
  const script = [
    'ip link set lo up',
    ...addresses.map((address) => `ip address add ${address} dev lo`),
    'exec "$@"',
  ].join(' && ')
  const module = fileURLToPath(new URL(file, import.meta.url))
  const command = ['sh', '-c', script, 'sh', process.execPath, module]
  return await run('unshare', [...(way ?? []), ...command], { limit: 110_000 })
}
