import { about, type Client, type Stage } from './stage.ts'
import type { Line } from './line.ts'
import type { Random } from '../../support/random.ts'

/** Between two questions of one client, in milliseconds. */
const pace = 10_000
/** So often on the average somebody looks at another image. */
const staysFor = 10

/** Asks for one image again and again, and is mostly told that nothing is new. */
export const poller: Client = async (line, random, stage) => {
  await watch(line, random, stage, async () => await about(pace, random), '')
}

/** As a poller, but the service answers once there is something to tell. */
export const waiter: Client = async (line, random, stage) => {
  await watch(line, random, stage, async () => {}, '?wait=5s')
}

async function watch(
  line: Line,
  random: Random,
  { images, over, note }: Stage,
  rest: () => Promise<void>,
  query: string,
): Promise<void> {
  let image = images.pick(random)
  let etag = '""'
  await about(pace, random)
  while (!over.aborted) {
    const { name, going } = image ?? { name: 'none', going: true }
    const path = `/api/v1/images/${name}${query}`
    const answer = await line.ask(path, [200, 304, 404], { headers: { 'if-none-match': etag } })
    const isGone = answer.status === 404
    // It may have been deleted while it was asked for.
    if (isGone && !going && !image?.going) throw new Error(`${path} is gone, and nobody deleted it`)
    etag = answer.headers.etag ?? etag
    note('polls')
    if (isGone || random.below(staysFor) === 0) {
      image = images.pick(random)
      etag = '""'
    }
    if (isGone || query === '') await about(pace, random)
    else await rest()
  }
}

/** Hears all that happens. */
export const listener: Client = async (line, _, { over, note }) => {
  await line.listen('/api/v1/events', () => note('pieces of event streams'), over)
}

/** Somebody else: looks at lists, repositories, health, and what a URL has. */
export const visitor: Client = async (line, random, stage) => {
  await about(pace, random)
  while (!stage.over.aborted) {
    await random.pick(visits)(line, random, stage)
    stage.note('visits')
    await about(pace, random)
  }
}

type Visit = (line: Line, random: Random, stage: Stage) => Promise<void>

const plain = (path: string): Visit => {
  return async (line) => void (await line.ask(path, [200]))
}

/** Of what may be being deleted. */
const ofHeld = (method: 'GET' | 'HEAD', pathOf: (repository: string) => string): Visit => {
  return async (line, random, { held }) => {
    const thing = held.pick(random)
    if (!thing) return
    const path = pathOf(thing.repository)
    const { status } = await line.ask(path, [200, 404], { method })
    if (status === 404 && !thing.of.going) throw new Error(`${path} is gone, and nobody deleted it`)
  }
}

const probe: Visit = async (line, _, { neighbour }) => {
  const dataSource = { type: 'HTTP', http: { url: neighbour.url('/probed') } }
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ dataSource })
  await line.ask('/api/v1/probe', [200], { method: 'POST', headers, body })
}

const visits: readonly [Visit, ...Visit[]] = [
  plain('/healthz'),
  plain('/readyz'),
  plain('/v2/'),
  plain('/v2/_catalog?n=20'),
  plain('/api/v1/images?limit=10'),
  plain('/api/v1/storage'),
  ofHeld('GET', (repository) => `/v2/${repository}/tags/list`),
  ofHeld('HEAD', (repository) => `/v2/${repository}/manifests/latest`),
  ofHeld('GET', (repository) => `/v2/${repository}/manifests/latest`),
  probe,
]
