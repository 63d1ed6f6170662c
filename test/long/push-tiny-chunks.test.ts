import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { usageOf } from '../bench/usage.ts'
import { mebibyte } from '../support/disks.ts'
import { contentOf } from '../support/push-content.ts'
import { pushLeftovers } from '../support/push-leftovers.ts'
import { Random } from '../support/random.ts'
import {
  bytesOf,
  expectStatus,
  rangeOf,
  RegistryClient,
  type Bytes,
} from '../support/registry-client.ts'
import { startService } from '../support/service.ts'
import { TinyChunks } from '../support/tiny-chunks.ts'

/** LONG_SEED=7 npm run long sends other bytes. */
const seed = Number(process.env['LONG_SEED'] ?? 20_269)
const repository = 'tiny/it'

const clients = 64
/** Sessions that have a writer, and so many others who wait for it, which is as many as may. */
const contended = 4
const waiting = 4
const alone = clients - contended * (1 + waiting)

/** Bytes of the bodies, each six on the wire; two cores take in some 350 000 of them a second. */
const ofWriters = 32 * 1024
const ofOthers = 80 * 1024
const ofWaiting = 512 * 1024

/**
 * Of a request that nobody reads the listener keeps 64 KiB. Each byte is then a buffer of its own, for which Node needs some
 * 430 bytes: 27 MiB for a client. All of this together was measured as 1.0 to 1.6 GiB; with a listener that keeps all of it,
 * as 2.7 and more.
 */
const perClient = 28 * mebibyte
/** The service itself, 64 MiB of slabs among it. */
const itself = 256 * mebibyte

describe.skipIf(!existsSync('/proc/self/status'))('pushes in chunks of one byte', () => {
  test(`of ${clients} clients take a bounded memory, read or not (seed ${seed})`, async () => {
    await using service = await startService()
    const client = new RegistryClient(() => service.base)
    const random = new Random(seed)
    using open = new DisposableStack()
    const contests: Contest[] = []
    for (let nth = 0; nth < contended; nth += 1) {
      const bytes = contentOf(random, ofWriters + ofWaiting)
      contests.push(await begin(client, bytes, open))
    }
    const rest = async () => {
      await Promise.all(contests.map(write))
      const bodies = Array.from({ length: alone }, () => contentOf(random, ofOthers))
      await Promise.all([...bodies.map((bytes) => push(client, bytes)), expectReady(client)])
    }
    const ends = await Promise.allSettled([
      ...contests.map((contest) => goOn(client, contest)),
      rest(),
    ])
    const { peakMemory = NaN } = (await usageOf(service.pid)) ?? {}
    expect(peakMemory).toBeLessThan(itself + clients * perClient)
    expect(ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []))).toEqual([])
    await expectReady(client)
    const { staged, sessions } = await pushLeftovers(service.folder)
    expect({ staged, sessions }).toEqual({ staged: [], sessions: 0 })
  })
})

async function push(client: RegistryClient, bytes: Bytes): Promise<void> {
  const session = await client.begin(repository)
  using request = await TinyChunks.begin('PATCH', client.url(session))
  expect(await statusOf(request, bytes)).toBe(202)
  await finish(client, session, bytes)
}

async function statusOf(request: TinyChunks, bytes: Bytes): Promise<number> {
  await request.send(bytes)
  return (await request.end()).status
}

/** A session that is being written, and those who wait for their turn, each with the same part that comes next. */
type Contest = {
  readonly session: string
  readonly bytes: Bytes
  readonly writer: TinyChunks
  readonly others: readonly TinyChunks[]
}

/** Resolves when the writer writes and the others wait; nobody has sent a byte. */
async function begin(
  client: RegistryClient,
  bytes: Bytes,
  open: DisposableStack,
): Promise<Contest> {
  const session = await client.begin(repository)
  const url = client.url(session)
  const writer = open.use(await TinyChunks.begin('PATCH', url, { Expect: '100-continue' }))
  await writer.wanted()
  const range = { 'Content-Range': rangeOf(ofWriters, ofWaiting) }
  const others: TinyChunks[] = []
  for (let nth = 0; nth < waiting; nth += 1) {
    others.push(open.use(await TinyChunks.begin('PATCH', url, range)))
  }
  // Asked behind them, and answered after a second as long as somebody writes.
  expect(await client.last(session)).toBe(0)
  return { session, bytes, writer, others }
}

async function write({ writer, bytes }: Contest): Promise<void> {
  expect(await statusOf(writer, bytes.subarray(0, ofWriters))).toBe(202)
}

/** They send what nobody reads yet. One of them may go on, and the others wait for that one. */
async function goOn(client: RegistryClient, { session, bytes, others }: Contest): Promise<void> {
  const next = bytes.subarray(ofWriters)
  const statuses = await Promise.all(others.map((other) => statusOf(other, next)))
  expect(statuses.filter((status) => status === 202)).toHaveLength(1)
  // Too late for this part, or tired of waiting for the one who brings it.
  expect(statuses.filter((status) => ![202, 416, 429].includes(status))).toEqual([])
  await finish(client, session, bytes)
}

async function finish(client: RegistryClient, session: string, bytes: Bytes): Promise<void> {
  const digest = digestOf(bytes)
  await expectStatus(await client.finish(session, digest), 201)
  const read = await client.blob('GET', repository, digest)
  expect((await bytesOf(read)).equals(bytes)).toBe(true)
}

async function expectReady(client: RegistryClient): Promise<void> {
  await expectStatus(await client.ask('GET', '/readyz'), 200)
}
