import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Outage, Refusal } from '../../../src/errors.ts'
import { Leader } from '../../../src/sync/leader.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Lease = {
  metadata: { name: string; namespace: string; resourceVersion: string; uid: string }
  spec: { holderIdentity: string; leaseDurationSeconds: number; leaseTransitions: number }
}

/** Keeps one Lease as the API server does. */
class Cluster {
  lease: Lease | null = null
  isAway = false
  /** Answers nothing, and ends with the signal of whoever asks. */
  isSilent = false
  writes = 0

  get = async (_path: string, _query: object, signal: AbortSignal) => {
    await this.#answer(signal)
    if (!this.lease) throw new Refusal('CLUSTER_NOT_FOUND', 'no Lease')
    return structuredClone(this.lease)
  }

  create = async (_path: string, body: object, signal: AbortSignal) => {
    await this.#answer(signal)
    if (this.lease) throw new Refusal('CLUSTER_EXISTS', 'there is one')
    return this.#write(body)
  }

  replace = async (_path: string, body: object, signal: AbortSignal) => {
    await this.#answer(signal)
    const { metadata } = body as Lease
    if (metadata.resourceVersion !== this.lease?.metadata.resourceVersion) {
      throw new Refusal('CLUSTER_CONFLICT', 'it has changed')
    }
    return this.#write(body)
  }

  #write(body: object) {
    this.writes += 1
    const { metadata, spec } = structuredClone(body) as Lease
    this.lease = { metadata: { ...metadata, resourceVersion: String(this.writes) }, spec }
    return structuredClone(this.lease)
  }

  async #answer(signal: AbortSignal): Promise<void> {
    if (this.isAway) throw new Outage('CLUSTER_UNAVAILABLE', 'it is away')
    if (!this.isSilent) return
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
}

/** A process that wants to lead, and tells whether its lead is under way. */
function stand(cluster: Cluster, identity: string) {
  const stop = new AbortController()
  const log = pino({ level: 'silent' })
  const leader = new Leader({ api: cluster, namespace: 'slipway', identity, log, now: Date.now })
  const state = { isAtWork: false, leads: 0 }
  const lead = async (signal: AbortSignal) => {
    state.isAtWork = true
    state.leads += 1
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    state.isAtWork = false
  }
  const ended = leader.run(lead, stop.signal)
  return { leader, state, ended, stop, end: () => (stop.abort(), ended) }
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)

describe('the leader', () => {
  test('makes the Lease, leads, and keeps it for as long as it lives', async () => {
    const cluster = new Cluster()
    const one = stand(cluster, 'one')
    await pass(100)
    expect(one.leader.isLeading).toBe(true)
    await pass(60_000)
    expect(one.state).toEqual({ isAtWork: true, leads: 1 })
    expect(cluster.lease?.spec).toMatchObject({
      holderIdentity: 'one',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      renewTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    })
    await one.end()
  })

  test('is one of two, and the other one takes over at once when it ends', async () => {
    const cluster = new Cluster()
    const one = stand(cluster, 'one')
    await pass(100)
    const two = stand(cluster, 'two')
    await pass(120_000)
    expect([one, two].map(({ state }) => state.leads)).toEqual([1, 0])
    await one.end()
    expect(cluster.lease?.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 })
    await pass(2000)
    expect(two.leader.isLeading).toBe(true)
    expect(cluster.lease?.spec).toMatchObject({ holderIdentity: 'two', leaseTransitions: 1 })
    await two.end()
  })

  test('is followed within 20 s when it is gone without a word, and never before 15 s', async () => {
    const cluster = new Cluster()
    // As a process that was killed left it, with a clock of its own.
    await cluster.create(
      '',
      {
        metadata: { name: 'slipway-controller', namespace: 'slipway' },
        spec: {
          holderIdentity: 'gone',
          leaseDurationSeconds: 15,
          renewTime: '1999-01-01T00:00:00.000000Z',
        },
      },
      new AbortController().signal,
    )
    const two = stand(cluster, 'two')
    await pass(14_900)
    expect(two.state.leads).toBe(0)
    await pass(5000)
    expect(two.state.leads).toBe(1)
    await two.end()
  })

  test.each(['isAway', 'isSilent'] as const)(
    'stops before another one may begin when the API server %s, and goes on when it is back',
    async (trouble) => {
      const cluster = new Cluster()
      const one = stand(cluster, 'one')
      await pass(10_000)
      cluster[trouble] = true
      await pass(8000)
      expect(one.state.isAtWork).toBe(true)
      await pass(3000)
      expect(one.state.isAtWork).toBe(false)
      expect(one.leader.trouble).toMatch(/it is away|the API server takes too long to answer/)
      cluster[trouble] = false
      await pass(10_000)
      expect(one.state).toEqual({ isAtWork: true, leads: 2 })
      await one.end()
    },
  )

  test('leads no more when somebody else has the Lease, and leaves it to them', async () => {
    const cluster = new Cluster()
    const one = stand(cluster, 'one')
    await pass(100)
    const { lease } = cluster
    if (lease)
      await cluster.replace(
        '',
        { ...lease, spec: { ...lease.spec, holderIdentity: 'thief' } },
        one.stop.signal,
      )
    await pass(5000)
    expect(one.state.isAtWork).toBe(false)
    await one.end()
    expect(cluster.lease?.spec.holderIdentity).toBe('thief')
  })

  test('gives the Lease back when its work fails, and fails with it', async () => {
    const cluster = new Cluster()
    const log = pino({ level: 'silent' })
    const leader = new Leader({
      api: cluster,
      namespace: 'slipway',
      identity: 'one',
      log,
      now: Date.now,
    })
    const signal = new AbortController().signal
    const ended = leader.run(() => Promise.reject(new Error('broken')), signal)
    await expect(ended).rejects.toThrow('broken')
    expect(cluster.lease?.spec.holderIdentity).toBe('')
  })

  test('of many at once, never lets two work at the same time', async () => {
    const cluster = new Cluster()
    const all = ['a', 'b', 'c'].map((name) => stand(cluster, name))
    for (let round = 0; round < 60; round += 1) {
      cluster.isAway = round % 13 > 8
      await pass(1000)
      expect(all.filter(({ state }) => state.isAtWork).length).toBeLessThanOrEqual(1)
      if (round === 30) await all.find(({ leader }) => leader.isLeading)?.end()
    }
    expect(all.reduce((sum, { state }) => sum + state.leads, 0)).toBeGreaterThan(1)
    await Promise.all(all.map((one) => one.end()))
  })
})
