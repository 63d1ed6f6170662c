import { join } from 'node:path'
import { startCluster, type Cluster } from '../../support/cluster/cluster.ts'
import { Crowd } from '../../support/cluster/crowd.ts'
import { disk, mebibyte } from '../../support/disks.ts'
import { startNeighbour } from '../../support/http-neighbour.ts'
import type { Bench } from '../bench.ts'
import { startCompanion } from '../peers/companion.ts'
import { startSlipway } from '../peers/slipway.ts'
import { etcd, kubeApiServer, kubectl, openssl } from '../programs.ts'
import { median, percentile } from '../statistics.ts'
import type { Study } from '../study.ts'
import { Told } from '../told.ts'

type Ground = Omit<Bench, 'file'>

const rounds = 100
/** Before anything counts, so that everybody knows everybody. */
const warming = 5

/** Milliseconds. */
type Round = {
  /** From the start of the command, and from when the API server told of the object. */
  readonly applied: { readonly whole: number; readonly object: number }
  readonly posted: number
}

/** What the companion adds to an import: a resource applied beside an image posted, one round after the other. */
export const applyToReady: Study = {
  name: 'apply-to-ready',
  title: `an image of 1 MiB from a server on this machine, until it is Ready: ${rounds} rounds`,
  needs: [etcd, kubeApiServer, kubectl, openssl],
  async run(bench) {
    await using resources = new AsyncDisposableStack()
    const both = await open(bench, resources)
    const found: Round[] = []
    for (let at = -warming; at < rounds; at += 1) {
      bench.signal.throwIfAborted()
      const round = await both(at + warming)
      if (at >= 0) found.push(round)
      if (at % 20 === 19) bench.say(`round ${at + 1}`)
    }
    return findings(found)
  },
}

async function open(bench: Ground, resources: AsyncDisposableStack) {
  const source = resources.use(await startNeighbour())
  const { base } = await startSlipway(join(bench.folder, 'apply'), bench, resources)
  const cluster = resources.use(await startCluster())
  await cluster.applyCrds()
  resources.use(await startCompanion(cluster, base, bench.signal))
  const crowd = resources.use(new Crowd(cluster.kubeconfig))
  const service = resources.use(await Told.open(base))
  return async (nth: number): Promise<Round> => {
    const play = (name: string) => source.serve(`/${name}`, { bytes: diskOf(name) })
    const apply = async () => await applied(`applied-${nth}`, play, { cluster, crowd }, bench)
    const post = async () => await posted(`posted-${nth}`, play, service)
    if (nth % 2 === 0) return { applied: await apply(), posted: await post() }
    return { posted: await post(), applied: await apply() }
  }
}

type Play = (name: string) => string

/** No two have the same bytes. */
function diskOf(name: string): Buffer {
  const bytes = disk(mebibyte)
  bytes.write(name, 4096)
  return bytes
}

async function applied(
  name: string,
  play: Play,
  { cluster, crowd }: { readonly cluster: Cluster; readonly crowd: Crowd },
  { within }: Ground,
): Promise<Round['applied']> {
  const manifest = JSON.stringify({
    apiVersion: 'virtualization.deckhouse.io/v1alpha2',
    kind: 'ClusterVirtualImage',
    metadata: { name },
    spec: { dataSource: { type: 'HTTP', http: { url: play(name) } } },
  })
  const begun = performance.now()
  const there = crowd.until(`${name} there`, () => crowd.phaseOf(name) !== null, within)
  const seen = there.then(() => performance.now())
  const ready = crowd.until(`${name} Ready`, () => crowd.phaseOf(name) === 'Ready', within)
  const ended = ready.then(() => performance.now())
  const [, at, end] = await Promise.all([cluster.apply(manifest), seen, ended])
  return { whole: end - begun, object: end - at }
}

async function posted(name: string, play: Play, service: Told): Promise<number> {
  const dataSource = { type: 'HTTP', http: { url: play(name) } }
  const begun = performance.now()
  const ready = service.ready(name)
  await service.create(name, dataSource)
  await ready
  return performance.now() - begun
}

function findings(found: readonly Round[]) {
  const posted = found.map((round) => round.posted)
  const ways = [
    ['POST to Ready, told by the event stream', posted],
    ['kubectl apply to Ready', found.map(({ applied }) => applied.whole)],
    ['of it, from when the API server has the object', found.map(({ applied }) => applied.object)],
  ] as const
  return {
    headings: ['', 'p50, ms', 'p99, ms', 'min to max, ms', 'beside POST, by round'],
    rows: ways.map(([title, times]) => row(title, times, posted)),
    notes: [
      'The other one of a pair begins each second round. kubectl itself is a process for each round.',
    ],
  }
}

function row(title: string, times: readonly number[], beside: readonly number[]) {
  const sorted = times.toSorted((one, other) => one - other)
  const ratios = times.map((time, at) => time / (beside[at] ?? NaN))
  const [least, most] = [sorted[0], sorted.at(-1)].map((time = NaN) => time.toFixed(0))
  const [p50, p99] = [50, 99].map((percent) => percentile(sorted, percent).toFixed(0))
  return [title, p50 ?? '', p99 ?? '', `${least} to ${most}`, `${median(ratios).toFixed(1)} ×`]
}
