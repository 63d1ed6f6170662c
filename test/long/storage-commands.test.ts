import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { access, mkdir, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { runSchema } from '../../src/serve/api/storage-schema.ts'
import { freePort } from '../bench/peers/server.ts'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { within } from '../support/deadline.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { send } from '../support/rest.ts'
import { startService, type Variables } from '../support/service.ts'
import { attempt } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const days = 24 * 3_600_000

async function slipway(args: readonly string[], variables: Variables) {
  const env = { PATH: process.env['PATH'], ...variables }
  return await attempt(process.execPath, [program, ...args], { env })
}

const runOf = (stdout: string) => runSchema.parse({ startedAt: '', ...JSON.parse(stdout) })

/** A blob that a crash left two days ago: no row of the catalog knows it. */
async function leaveBlob(folder: string): Promise<string> {
  const bytes = Buffer.from('left behind')
  const hex = createHash('sha256').update(bytes).digest('hex')
  const path = join(folder, 'blobs', 'sha256', hex.slice(0, 2), hex)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
  const at = new Date(Date.now() - 2 * days)
  await utimes(path, at, at)
  return path
}

describe('slipway gc', () => {
  test('works on the folder itself where no service runs, and asks the service where one does', async () => {
    await using folder = await temporaryFolder()
    const paths = await writeCallers(folder.path)
    await using service = await startService({ SLIPWAY_TOKENS_FILE: paths.tokens })
    const rest = service.rest.as(tokenOf('admin'))
    expect((await send(await rest.createUpload('stays'), disk(mebibyte))).status).toBe(201)
    const left = await leaveBlob(service.folder)
    const nobody = { SLIPWAY_LISTEN: `127.0.0.1:${await freePort()}` }
    const here = { SLIPWAY_DATA_DIR: service.folder, ...nobody }

    const refused = await slipway(['gc'], here)
    expect(refused.code).toBe(3)
    expect(refused.stderr).toMatch(/^a Slipway is running on .* set SLIPWAY_URL/)
    const there = { SLIPWAY_URL: service.base, SLIPWAY_TOKEN: tokenOf('admin') }
    const dry = await slipway(['gc', '--dry-run'], there)
    expect(dry.stderr).toMatch(/^(?:\d+% )?gc: /)
    expect(dry.code).toBe(0)
    expect(runOf(dry.stdout).progress).toMatchObject({ removed: 1, freedBytes: '11', unknown: 1 })
    const denied = await slipway(['gc'], { ...there, SLIPWAY_TOKEN: tokenOf('editor') })
    expect(denied).toMatchObject({ code: 2, stdout: '' })
    expect(denied.stderr).toContain('"editor" may not look after the storage')
    await access(left)
    const beside = { ...here, SLIPWAY_LISTEN: new URL(service.base).host }
    const found = await slipway(['gc', '--dry-run'], { ...there, ...beside, SLIPWAY_URL: '' })
    expect(runOf(found.stdout).progress).toMatchObject({ removed: 1 })

    await service.stop()
    const done = await slipway(['gc', '--output', 'table'], here)
    expect(done).toMatchObject({ code: 0 })
    expect(done.stdout).toMatch(/^state +done$/m)
    expect(done.stdout).toMatch(/^freed +11B \(11 bytes\)$/m)
    await expect(access(left)).rejects.toMatchObject({ code: 'ENOENT' })
    await service.start()
    expect((await rest.image('stays')).status.phase).toBe('Ready')
  })

  test('says where to look when there is nothing to work on', async () => {
    await using folder = await temporaryFolder()
    const { code, stderr } = await slipway(['gc'], { SLIPWAY_DATA_DIR: folder.path })
    expect(code).toBe(2)
    expect(stderr).toMatch(/^there is no catalog in .*; set SLIPWAY_DATA_DIR .*, or SLIPWAY_URL/)
  })
})

test('a folder that cannot be made is told in one line', async () => {
  const { code, stderr } = await slipway(['serve'], { SLIPWAY_DATA_DIR: join(program, 'data') })
  expect(code).toBe(2)
  expect(stderr).toMatch(/^ENOTDIR: .*main\.ts\/data'; check the path, and who may use it\n$/)
})

/** A service that has one run, in the state that it is told. */
async function serving(run: object) {
  const asked: string[] = []
  const polled = Promise.withResolvers<void>()
  const whole = { id: 'a', options: {}, progress: {}, message: '', ...run }
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (request.method === 'GET') polled.resolve()
    request.resume()
    response.end(JSON.stringify(whole))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    asked,
    polled: polled.promise,
    variables: { SLIPWAY_URL: `http://127.0.0.1:${address.port}` },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('a command that follows a run', () => {
  test('ends with 1 when the run has failed', async () => {
    await using served = await serving({ kind: 'gc', state: 'failed', message: 'no disk' })
    const { code, stderr } = await slipway(['gc'], served.variables)
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'gc failed: no disk\n' })
  })

  test('ends with 1 when a scrub has found damage', async () => {
    await using served = await serving({ kind: 'scrub', state: 'done', progress: { damaged: 1 } })
    expect((await slipway(['scrub', '--rate', '1Mi'], served.variables)).code).toBe(1)
    expect(served.asked).toEqual(['POST /api/v1/storage/scrub'])
    const wrong = await slipway(['scrub', '--rate', 'fast'], served.variables)
    expect(wrong).toMatchObject({ code: 2 })
  })

  test('leaves the run to itself when it is interrupted', async () => {
    await using served = await serving({ kind: 'gc', state: 'running', progress: { looked: 1 } })
    const env = { PATH: process.env['PATH'], ...served.variables }
    const child = spawn(process.execPath, [program, 'gc'], { env })
    const [told, ended] = [text(child.stderr), once(child, 'close')]
    await within(20_000, 'the first look', served.polled)
    child.kill('SIGINT')
    expect(await within(10_000, 'the end', ended)).toEqual([130, null])
    expect(await told).toMatch(/^gc: looked 1\nthe run goes on in the service: GET .*\/runs\/a\n$/)
  })
})
