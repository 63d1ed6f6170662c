import * as fc from 'fast-check'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { Rest } from '../../../../src/client/rest.ts'
import { phases } from '../../../../src/image/phase.ts'
import { ClusterVirtualImages } from '../../../../src/sync/cluster-virtual-image.ts'
import type { Mirrored } from '../../../../src/sync/mirror.ts'
import { clusterVirtualImageSchema } from '../../../../src/sync/resource.ts'
import { ClusterStandIn } from '../../../support/cluster-stand-in.ts'

const never = new AbortController().signal
const moving = new Set(['progress', 'receivedBytes'])
const log = pino({ level: 'silent' })
const rest = new Rest({
  base: 'http://127.0.0.1:1',
  token: () => Promise.resolve(null),
  userAgent: 'test',
})

type Write = { readonly at: number; readonly status: object }

/** One resource and what the service says of it, on a clock that the test moves. */
class Play {
  readonly api: ClusterStandIn
  readonly writes: Write[] = []
  readonly uid: string
  image: Mirrored | null = null
  isAway = false
  now = 1_000_000
  readonly #images: ClusterVirtualImages
  #due = Infinity

  constructor(api = new ClusterStandIn()) {
    this.api = api
    this.uid = api.apply('x', { type: 'Upload' })
    const add = (milliseconds: number) => {
      this.#due = Math.min(this.#due, this.now + milliseconds)
    }
    this.#images = new ClusterVirtualImages({
      api,
      rest,
      log,
      now: () => this.now,
      mirror: this.#mirror(),
      resources: {
        get: (name) => this.#resource(name),
        items: () => [this.#resource('x')].filter((resource) => resource !== null),
        watch: () => () => undefined,
        learn: () => undefined,
      },
      queue: {
        add: () => add(0),
        addAfter: (_, milliseconds) => add(milliseconds),
        retry: () => add(60_000),
        forget: () => undefined,
      },
    })
  }

  #mirror() {
    const at = () => ({ image: this.image, isAway: this.isAway })
    return {
      get: () => at().image,
      get isAway() {
        return at().isAway
      },
      isSynced: true,
      trouble: null,
      watch: () => () => undefined,
    }
  }

  #resource(name: string) {
    return clusterVirtualImageSchema.parse(this.api.resource(name))
  }

  async look(): Promise<void> {
    this.#due = Infinity
    const before = this.api.asked.length
    await this.#images.reconcile('x', never)
    const written = this.api.asked.slice(before).filter(({ path }) => path.endsWith('/status'))
    for (const { body } of written) {
      this.writes.push({ at: this.now, status: body['status'] as object })
    }
  }

  /** Lets the clock run, and does what falls due on the way. */
  async pass(milliseconds: number): Promise<void> {
    const until = this.now + milliseconds
    while (this.#due <= until) {
      this.now = Math.max(this.now, this.#due)
      await this.look()
    }
    this.now = until
  }

  say(status: object): void {
    this.image = {
      name: 'x',
      uid: 'image',
      ownerUid: this.uid,
      status: status as Mirrored['status'],
    }
  }
}

const statuses = fc.record(
  {
    phase: fc.constantFrom(...phases.filter((phase) => phase !== 'Terminating')),
    progress: fc.constantFrom('0%', '10%', '20%', '30%'),
    receivedBytes: fc.constantFrom('1', '2', '3'),
    conditions: fc.constantFrom('one', 'two').map((message) => [
      {
        type: 'Ready',
        status: 'False',
        reason: 'Provisioning',
        message,
        lastTransitionTime: '2026-01-01T00:00:00.000Z',
        observedGeneration: 7,
      },
    ]),
  },
  { requiredKeys: ['phase', 'conditions'] },
)

function resting(status: object): object {
  return Object.fromEntries(Object.entries(status).filter(([field]) => !moving.has(field)))
}

function saidOf(status: { readonly conditions: readonly object[] }): object {
  const conditions = status.conditions.map((one) => ({ ...one, observedGeneration: 1 }))
  return { ...status, conditions, observedGeneration: 1 }
}

test('what is written at last is what the service said at last, and progress once a second', async () => {
  const step = fc.record({ status: statuses, wait: fc.nat(700), isAway: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const play = new Play()
      for (const { status, wait, isAway } of steps) {
        play.say(status)
        play.isAway = isAway
        await play.look()
        await play.pass(wait)
      }
      play.isAway = false
      await play.look()
      await play.pass(2000)
      const last = steps.at(-1)?.status
      expect(play.api.statusOf('x')).toEqual(last && saidOf(last))
      for (const [index, { at, status }] of play.writes.entries()) {
        const before = play.writes[index - 1]
        if (!before) continue
        expect(status).not.toEqual(before.status)
        const isProgress =
          JSON.stringify(resting(status)) === JSON.stringify(resting(before.status))
        if (isProgress) expect(at - before.at).toBeGreaterThanOrEqual(1000)
      }
    }),
    { numRuns: 60 },
  )
})

/** Knows a field less than is said, and another one that somebody else wrote. */
class Peculiar extends ClusterStandIn {
  override async patch(...all: Parameters<ClusterStandIn['patch']>): Promise<unknown> {
    const [path, kind, body, query, signal] = all
    if (!('status' in body)) return await super.patch(...all)
    const known = Object.entries(body.status as object).filter(([field]) => field !== 'details')
    const status = { ...Object.fromEntries(known), of: 'others' }
    return await super.patch(path, kind, { ...body, status }, query, signal)
  }
}

test('what the API server drops or others add is not written again and again', async () => {
  const play = new Play(new Peculiar())
  play.say({ phase: 'Ready', details: { of: 'today' }, conditions: [] })
  await play.look()
  const kept = { phase: 'Ready', observedGeneration: 1, conditions: [], of: 'others' }
  expect(play.api.statusOf('x')).toEqual(kept)
  await play.look()
  expect(play.writes).toHaveLength(1)
  play.say({ phase: 'Ready', details: { of: 'tomorrow' }, conditions: [] })
  await play.look()
  expect(play.writes).toHaveLength(2)
})

test('a message of any length fits into the resource', async () => {
  const play = new Play()
  const condition = { type: 'Ready', status: 'False', reason: 'Provisioning' }
  play.say({
    phase: 'Provisioning',
    conditions: [{ ...condition, message: 'x'.repeat(100_000), lastTransitionTime: 'then' }],
  })
  await play.look()
  expect(play.api.conditionOf('x')?.message).toMatch(/^x{16384}…$/)
})

test('a first word that is overtaken is not written, one that stays is', async () => {
  const pending = {
    phase: 'Pending',
    conditions: [{ type: 'Ready', status: 'False', reason: 'ProvisioningNotStarted', message: '' }],
  }
  const overtaken = new Play()
  overtaken.say(pending)
  await overtaken.look()
  await overtaken.pass(200)
  overtaken.say({ phase: 'Provisioning', conditions: [] })
  await overtaken.look()
  await overtaken.pass(2000)
  expect(overtaken.writes.map(({ status }) => status)).toMatchObject([{ phase: 'Provisioning' }])
  const staying = new Play()
  staying.say(pending)
  await staying.look()
  await staying.pass(299)
  expect(staying.writes).toEqual([])
  await staying.pass(1)
  expect(staying.writes).toMatchObject([{ status: { phase: 'Pending' } }])
})
