import { setTimeout as pass } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Api } from '../../support/cluster/api.ts'
import { Churn } from '../../support/cluster/churn.ts'
import { startCluster, type Cluster } from '../../support/cluster/cluster.ts'
import { NodeApi } from '../../support/cluster/node-api.ts'
import type { Bench } from '../bench.ts'
import { startCompanion } from '../peers/companion.ts'
import { freePort, Server } from '../peers/server.ts'
import { etcd, kubeApiServer, kubectl, openssl } from '../programs.ts'
import { median } from '../statistics.ts'
import type { Study } from '../study.ts'
import { usageOf } from '../usage.ts'

type Ground = Omit<Bench, 'file'>

const [nodes, changes, minute] = [500, 5000, 60_000]

const program = fileURLToPath(new URL('../peers/bare-watch.ts', import.meta.url))

/** What it costs to follow nodes: the companion beside a program that only parses what the API server tells. */
export const nodeChurn: Study = {
  name: 'node-churn',
  title: `${nodes} nodes with 400 labels of features each, and ${changes} changes of labels within a minute`,
  needs: [etcd, kubeApiServer, kubectl, openssl],
  async run(bench) {
    await using resources = new AsyncDisposableStack()
    const round = await open(bench, resources)
    const found: Round[] = []
    for (let at = 0; at < bench.rounds; at += 1) {
      bench.signal.throwIfAborted()
      found.push(await round())
      bench.say(`round ${at + 1}`)
    }
    return findings(found)
  },
}

type Round = {
  readonly seconds: number
  /** To the API server, from the companion. */
  readonly requests: number
  readonly companion: Cost
  readonly bare: Cost
}

/** Seconds of computing, and bytes at the peak. */
type Cost = { readonly cpu: number; readonly memory: number }

async function open({ signal, within }: Ground, resources: AsyncDisposableStack) {
  const cluster = resources.use(await startCluster())
  await cluster.applyCrds()
  const churn = new Churn(cluster, new NodeApi(resources.use(await Api.open(cluster))), nodes)
  await churn.create()
  const companion = resources.use(await startCompanion(cluster, 'http://127.0.0.1:9', signal))
  const bare = resources.use(await startBareWatch(cluster, signal))
  const late = AbortSignal.any([AbortSignal.timeout(within), signal])
  while ((await churn.available()) !== nodes) await pass(200, undefined, { signal: late })
  return async (): Promise<Round> => {
    const [before, began] = [(await churn.asked()).length, performance.now()]
    const [ofCompanion, ofBare] = [await meter(companion), await meter(bare)]
    await churn.change(changes, minute)
    const costs = { companion: await ofCompanion(), bare: await ofBare() }
    const seconds = (performance.now() - began) / 1000
    return { seconds, requests: (await churn.asked()).length - before, ...costs }
  }
}

/** It runs, parses the whole collection once, and then only what changes. */
async function startBareWatch({ server, credentials }: Cluster, signal: AbortSignal) {
  const port = await freePort()
  const { ca, admin } = credentials
  const args = [program, `${server}/api/v1/nodes`, ca, admin.cert, admin.key, String(port)]
  const ready = `http://127.0.0.1:${port}/`
  return await Server.start({ program: process.execPath, args, ready }, signal)
}

/** Begins to count; the answer tells what it cost since then. */
async function meter({ pid }: Server): Promise<() => Promise<Cost>> {
  const before = await usage(pid)
  return async () => {
    const { cpu, peakMemory } = await usage(pid)
    return { cpu: cpu - before.cpu, memory: peakMemory }
  }
}

async function usage(pid: number | null) {
  const told = await usageOf(pid)
  if (told) return told
  throw new Error('this system does not tell what a process costs')
}

function findings(found: readonly Round[]) {
  return {
    headings: ['', 'computed, s', 'min to max', 'in s', 'memory, MiB', 'requests'],
    rows: [
      row(
        'Slipway',
        found,
        ({ companion }) => companion,
        most(found, ({ requests }) => requests),
      ),
      row('a watch whose lines are parsed, and nothing else', found, ({ bare }) => bare, 1),
    ],
    notes: [
      `Medians of ${found.length} round(s); memory and requests are the most. Beside API server and etcd, on the same cores.`,
      'Where these are too slow for so many changes a minute, requests are more: there are up to two a second.',
    ],
  }
}

function row(
  title: string,
  found: readonly Round[],
  costOf: (round: Round) => Cost,
  requests: number,
) {
  const computed = found.map((round) => costOf(round).cpu)
  const [least, longest] = [Math.min(...computed), Math.max(...computed)]
  return [
    title,
    median(computed).toFixed(1),
    `${least.toFixed(1)} to ${longest.toFixed(1)}`,
    median(found.map(({ seconds }) => seconds)).toFixed(0),
    Math.round(most(found, (round) => costOf(round).memory) / 1024 ** 2),
    requests,
  ]
}

function most(found: readonly Round[], of: (round: Round) => number): number {
  return Math.max(...found.map(of))
}
