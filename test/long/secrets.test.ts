import { once } from 'node:events'
import { appendFile, readFile, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tokenLine, writeCallers } from '../support/callers.ts'
import { disk } from '../support/disks.ts'
import { forever, startNeighbour, type Neighbour, type Play } from '../support/http-neighbour.ts'
import { get, problemOf, send, type Rest, type Source } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

/** What must be found nowhere; each says where it was given. */
const secret = (where: string) => `canary-of-the-${where}-5f0e`
const wheres = [
  'basic',
  'bearer',
  'headers',
  'user-info',
  'query',
  'registry',
  'location',
  'cookie',
] as const
/** Of what it cannot read a parser quotes so much. */
const short = 'canary-5f0e'
const canaries = wheres.flatMap((where) => {
  const text = secret(where)
  // Inside of what Basic makes of it, wherever it begins there.
  const encoded = ['', 'u', 'us'].map((before) =>
    Buffer.from(before + text)
      .toString('base64')
      .slice(before.length === 0 ? 0 : 4, -4),
  )
  return encoded.concat(text)
})

const bytes = disk(256 * 1024)
const resources = new AsyncDisposableStack()
let service: Service
let rest: Rest
let neighbour: Neighbour
/** An answer that is no HTTP, with a secret in it. */
let garbled: string

beforeAll(async () => {
  const folder = resources.use(await temporaryFolder()).path
  const paths = await writeCallers(folder)
  await appendFile(paths.tokens, tokenLine('puller', 'admin', secret('registry')))
  service = resources.use(
    await startService({
      SLIPWAY_TOKENS_FILE: paths.tokens,
      SLIPWAY_IMPORT_CONCURRENCY: '100',
      SLIPWAY_LOG_LEVEL: 'trace',
    }),
  )
  rest = service.rest.as(secret('registry'))
  neighbour = resources.use(await startNeighbour())
  garbled = await startGarbled()
})
afterAll(() => resources.disposeAsync())

async function startGarbled(): Promise<string> {
  const answer = `HTTP/1.1 200 OK\r\nbroken header\r\nSet-Cookie: ${secret('cookie')}\r\n\r\n`
  const server = createServer((socket) => socket.on('error', () => {}).end(answer))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  resources.defer(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening')
  return `http://127.0.0.1:${address.port}/disk.img?token=${secret('query')}`
}

/** The ways of giving a secret with a URL. */
const ways: { readonly [way: string]: (url: string) => Source['http'] } = {
  basic: (url) => ({ url, auth: { basic: { username: 'user', password: secret('basic') } } }),
  bearer: (url) => ({ url, auth: { bearer: secret('bearer') } }),
  headers: (url) => ({ url, auth: { headers: { 'X-Api-Key': secret('headers') } } }),
  'user-info': (url) => ({ url: url.replace('//', `//user:${secret('user-info')}@`) }),
  query: (url) => ({ url: `${url}?token=${secret('query')}` }),
}

const signed = (path: string) => `${path}?signature=${secret('location')}`
const redirect = (location: string) => ({ status: 302, headers: { location } })

/** What the sources do, and how the image ends. */
const fates = (go: Promise<void>): { readonly [fate: string]: Play } => ({
  // Fails at first, and leads to a place whose address is a secret of its own.
  ready: (nth) => (nth === 1 ? { status: 503 } : redirect(signed('/behind'))),
  refused: { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } },
  broken: (nth) =>
    nth === 1 ? { bytes, cut: { at: 70_000, how: 'reset' } } : redirect(signed('/nowhere')),
  endless: (nth) => redirect(signed(`/endless-${nth}`)),
  astray: redirect(`ftp://user:${secret('location')}@127.0.0.1/x`),
  forbidden: redirect(`http://169.254.169.254/${signed('x')}`),
  mismatch: { bytes, pause: { at: 'head', until: go } },
  deleted: { bytes, pause: { at: 1000, until: forever } },
})

/** The others are about what a redirect or the end of an image does, whatever the secret. */
const everyWay = new Set(['ready', 'refused', 'broken'])

/** All that the files of a folder hold. */
async function bytesIn(folder: string): Promise<Buffer> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return Buffer.concat(
    await Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name)))),
  )
}

function sealedIn(folder: string): readonly Buffer[] {
  const database = new Sqlite(join(folder, 'catalog.sqlite'), { readonly: true })
  try {
    const rows = database.prepare('select secrets from images where secrets is not null')
    return rows
      .pluck()
      .all()
      .filter((value) => Buffer.isBuffer(value))
  } finally {
    database.close()
  }
}

const found = (haystack: Buffer | string, needles: readonly (Buffer | string)[]) =>
  needles.filter((needle) => Buffer.from(haystack).includes(needle)).map(String)

test('secrets of a source are sealed while they are needed, gone afterwards, and never told', async () => {
  const { folder, logs } = service
  const go = Promise.withResolvers<void>()
  const answers: string[] = []
  const tell = async (answer: Response | Promise<Response>) =>
    answers.push(await (await answer).text())
  neighbour.serve('/behind', { bytes, pause: { at: 'head', until: go.promise } })
  for (let hop = 1; hop <= 12; hop += 1) neighbour.serve(`/endless-${hop}`, redirect(signed('/x')))
  neighbour.serve('/x', redirect(signed('/x')))

  const specs = new Map<string, Source>()
  for (const [way, http] of Object.entries(ways)) {
    for (const [fate, play] of Object.entries(fates(go.promise))) {
      if (!everyWay.has(fate) && way !== 'query') continue
      const url = neighbour.serve(`/${way}-${fate}`, play)
      const checksum = { checksum: { md5: 'a'.repeat(32) } }
      const section = { url, ...http(url), ...(fate === 'mismatch' && checksum) }
      specs.set(`${way}-${fate}`, { type: 'HTTP', http: section })
    }
  }
  specs.set('garbled-deleted', { type: 'HTTP', http: { url: garbled } })
  await send(await rest.createUpload('own'), bytes)
  const host = new URL(service.base).host
  const auth = { username: 'puller', password: secret('registry') }
  for (const [name, image, login] of [
    ['registry-ready', `${host}/cvi/own`, auth],
    ['registry-refused', `${host}/cvi/own`, { ...auth, username: 'nobody' }],
    ['registry-lost', `${host}/cvi/not-there`, auth],
  ] as const) {
    specs.set(name, { type: 'ContainerImage', containerImage: { image, auth: login } })
  }
  for (const [name, dataSource] of specs) await tell(rest.post({ name, dataSource }))

  const ends = (...fates: readonly string[]) =>
    [...specs.keys()].filter((name) => fates.some((fate) => name.endsWith(`-${fate}`)))
  const failed = ends('refused', 'broken', 'endless', 'astray', 'forbidden', 'lost')
  await Promise.all(failed.map((name) => rest.reaches(name, 'Failed')))
  await rest.ready('registry-ready')
  await expect.poll(() => neighbour.count('/behind'), { timeout: 10_000 }).toBe(5)
  await rest.until('garbled-deleted', ({ status }) => (status.retries ?? 0) > 0)

  const sealed = sealedIn(folder)
  const kept = ends('ready', 'mismatch', 'deleted').filter(
    (name) => !/^(?:query|garbled)-/.test(name),
  )
  expect(sealed).toHaveLength(kept.length - 1)
  const midway = await bytesIn(folder)
  expect(found(midway, canaries)).toEqual([])
  expect(found(midway, sealed)).toHaveLength(sealed.length)

  await service.kill()
  await service.start()
  for (const name of ends('deleted')) await rest.delete(name)
  go.resolve()
  await Promise.all(ends('ready').map((name) => rest.ready(name)))
  await Promise.all(ends('mismatch').map((name) => rest.reaches(name, 'Failed')))

  for (const name of specs.keys()) await tell(askFor(`/${name}`))
  await tell(askFor(''))
  const erased = await rest.post({}, '/bearer-refused/retry')
  expect(erased.status).toBe(409)
  expect((await problemOf(erased)).code).toBe('SECRETS_ERASED')
  // A query is no credential: it stays sealed, for this.
  await tell(rest.post({}, '/query-refused/retry'))
  await rest.reaches('query-refused', 'Failed')
  expect(neighbour.requests.at(-1)?.path).toBe(`/query-refused?token=${secret('query')}`)
  const [again] = specs.values()
  await tell(rest.post({ name: 'basic-ready', dataSource: again }))
  await tell(rest.post({ name: 'bearer-ready', dataSource: again }))
  await tellBadRequests(tell)

  expect(found(await bytesIn(folder), [short, ...canaries, ...sealed])).toEqual([])
  expect(found(logs.toString(), [short, ...canaries])).toEqual([])
  expect(found(answers.join('\n'), [short, ...canaries])).toEqual([])
  await service.stop()
  expect(found(await bytesIn(folder), [short, ...canaries, ...sealed])).toEqual([])
})

const authorization = `Bearer ${secret('registry')}`
const askFor = (path: string) => get(rest.url(path), { authorization })

/** Requests that are refused for what they say, and probes, which keep nothing. */
async function tellBadRequests(tell: (answer: Promise<Response>) => Promise<unknown>) {
  const post = (path: string, body: string) =>
    fetch(`${service.base}/api/v1/${path}`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(20_000),
    })
  const http = (section: unknown) =>
    JSON.stringify({ name: 'bad', dataSource: { type: 'HTTP', http: section } })
  const url = neighbour.url('/query-refused')
  for (const body of [
    short,
    http({ url: `ftp://user:${secret('user-info')}@example.com/?token=${secret('query')}` }),
    http({ url, auth: { bearer: `${secret('bearer')}\n` } }),
    http({ url, auth: { headers: { 'X-Api-Key': `${secret('headers')}\r\n` } } }),
    http({ url, auth: { basic: secret('basic') } }),
    http({ url: `http://user:${secret('user-info')}@169.254.169.254/?x=${secret('query')}` }),
  ]) {
    await tell(post('images', body))
  }
  for (const to of [`${url}?token=${secret('query')}`, garbled]) {
    await tell(post('probe', JSON.stringify({ dataSource: { type: 'HTTP', http: { url: to } } })))
  }
}
