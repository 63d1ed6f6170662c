import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { load } from 'js-yaml'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listSchema } from '../../src/serve/api/schema.ts'
import { imageSchema } from '../../src/image/status.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour } from '../support/http-neighbour.ts'
import { program, slipway } from '../support/program.ts'
import { startService, type Service } from '../support/service.ts'

const resources = new AsyncDisposableStack()
let service: Service
beforeAll(async () => {
  service = resources.use(await startService())
})
afterAll(() => resources.disposeAsync())

const images = async (...args: readonly string[]) =>
  await slipway(['images', ...args], { SLIPWAY_URL: service.base })

test('images are created, waited for, listed, shown and deleted', async () => {
  await using neighbour = await startNeighbour()
  const url = neighbour.serve('/disk', { bytes: disk(mebibyte) })
  const [made, failed] = await Promise.all([
    images('create', 'made', '--url', url, '--wait', '-o', 'table'),
    images('create', 'failed', '--url', neighbour.serve('/no', { status: 404 }), '--wait'),
  ])
  expect(made).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^made is Ready\npull it: /),
  })
  expect(failed).toMatchObject({ code: 1 })
  expect(failed.stderr).toMatch(/^failed is Failed: .*404/m)
  expect(imageSchema.parse(JSON.parse(failed.stdout)).status.phase).toBe('Failed')

  const shown = await Promise.all([
    images('ls', '-o', 'table'),
    images('ls', '--phase', 'Ready'),
    images('ls', '-o', 'yaml', '--sort', 'size'),
    images('get', 'failed', '-o', 'table'),
  ])
  expect(shown.map(({ code }) => code)).toEqual([0, 0, 0, 0])
  const [table, json, yaml, details] = shown.map(({ stdout }) => stdout)
  expect(table?.split('\n').map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
    ['NAME', 'PHASE', 'FORMAT', 'SIZE'],
    ['failed', 'Failed', '-', '-'],
    ['made', 'Ready', 'raw', '1Mi'],
    [''],
  ])
  expect(listSchema.parse(JSON.parse(json ?? '')).items.map(({ name }) => name)).toEqual(['made'])
  const bySize = listSchema.parse(load(yaml ?? ''))
  expect(bySize.items.map(({ name }) => name)).toEqual(['made', 'failed'])
  expect(details).toMatch(/^name +failed\nphase +Failed\ntrouble .*404.*\nto do +mend the cause/)

  const gone = await images('delete', 'made', 'nobody', 'failed', '-o', 'name')
  expect(gone).toEqual({
    code: 1,
    stdout: 'made\nfailed\n',
    stderr: 'there is no image "nobody"\n',
  })
  expect(await service.rest.names()).toEqual([])
})

test('where nobody answers, and where nothing is', async () => {
  const nowhere = { SLIPWAY_URL: 'http://127.0.0.1:9' }
  const [unreachable, missing, misused] = await Promise.all([
    slipway(['images', 'ls'], nowhere),
    images('get', 'nobody'),
    images('ls', '--phase', 'Redy'),
  ])
  expect(unreachable).toMatchObject({ code: 3, stdout: '' })
  expect(unreachable.stderr).toMatch(/^http:\/\/127\.0\.0\.1:9 does not answer/)
  expect(missing).toEqual({ code: 1, stdout: '', stderr: 'there is no image "nobody"\n' })
  expect(misused).toMatchObject({ code: 2, stdout: '' })
  expect(misused.stderr).toMatch(/^--phase is "Redy"; allowed: Pending, .* or ImageLost\n$/)
})

test('the exit code is the same where nobody hears what is said', async () => {
  const env = { PATH: process.env['PATH'], SLIPWAY_URL: service.base }
  const deaf = spawn(process.execPath, [program, 'images', 'ls', '--phase', 'Redy'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  deaf.stderr.destroy()
  expect(await once(deaf, 'exit')).toEqual([2, null])
})
