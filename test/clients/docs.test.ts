import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openApiDocument } from '../../src/serve/api/document.ts'
import { curlOf } from '../../src/serve/web/docs/curl.ts'
import { describe as read } from '../../src/serve/web/docs/document.ts'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const run = promisify(execFile)
const { groups } = read(openApiDocument('1'))
const operations = groups.flatMap((group) => group.operations)

describe.skipIf(!needs('curl', 'apt-get install curl'))('each line of the page', () => {
  let service: Service
  let folder: string
  const held = new AsyncDisposableStack()

  beforeAll(async () => {
    folder = held.use(await temporaryFolder()).path
    const { tokens } = await writeCallers(folder)
    service = held.use(await startService({ SLIPWAY_TOKENS_FILE: tokens }))
    const rest = service.rest.as(tokenOf('admin'))
    await send(await rest.createUpload('ubuntu-img'), new Uint8Array(disk(mebibyte)))
    await rest.ready('ubuntu-img')
    await writeFile(join(folder, 'example.iso'), 'no image')
  })
  afterAll(() => held.disposeAsync())

  /** Streams do not end by themselves, and their status has come long before. */
  const ask = async (line: string) => {
    const env = {
      PATH: process.env['PATH'],
      SLIPWAY_URL: service.base,
      SLIPWAY_TOKEN: tokenOf('admin'),
    }
    const script = `${line} -s -o /dev/null --max-time 2 -w '%{http_code}' || [ $? = 28 ]`
    const { stdout } = await run('/bin/sh', ['-c', script], { env, cwd: folder })
    return stdout
  }
  const first = (method: string) => (method === 'DELETE' ? 1 : 0)
  const inOrder = operations.toSorted((one, other) => first(one.method) - first(other.method))

  test.each(inOrder)('$operationId is answered as the document says', async (operation) => {
    const statuses = Object.keys(operation.responses)
    expect(statuses).toContain(await ask(curlOf(operation)))
  })

  test('takes what it takes: nothing is refused for its form', async () => {
    const reads = inOrder.filter(({ method, path }) => method === 'GET' && !path.includes('{'))
    const answers = await Promise.all(reads.map((each) => ask(curlOf(each))))
    expect(new Set(answers)).toEqual(new Set(['200']))
  })
})
