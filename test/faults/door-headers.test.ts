import { expect } from 'vitest'
import { inTurns, openDoor, type Door } from '../support/door.ts'
import type { Random } from '../support/random.ts'
import { exchange } from '../support/raw-http.ts'
import { mebibyte } from '../support/disks.ts'
import { memoryOf } from '../support/slow-clients.ts'
import { tryOut } from './trial.ts'

/** Requests of a round that are too large or almost, and those that come one behind the other. */
const ofRound = 60
const atOnce = 6
const inLine = 1500

/** What README promises, and bytes beside it in which a request may be on either side. */
const headSize = 32 * 1024
const around = 1024
const headFields = 200
/** Bytes that are sent before an answer comes. Who still sends when the connection breaks may not see the refusal. */
const sentAtOnce = 64 * 1024
/** What large heads may take of the service's memory. */
const memory = 256 * mebibyte

tryOut('door-headers', async (trial) => {
  await using door = await openDoor()
  const before = await memoryOf(door.service.pid)
  for (const { random } of trial.rounds()) {
    const heads = Array.from({ length: ofRound }, () => random.pick(shapes)(random))
    await inTurns(heads, atOnce, async ({ what, text, isTooLarge }) => {
      const { answers, rest } = await exchange(door.where, [Buffer.from(text, 'latin1')])
      const statuses = answers.map(({ status }) => status)
      const told = `${what}: ${statuses.join()}`
      expect(rest.length, told).toBe(0)
      expect(Math.max(...statuses, 0), told).toBeLessThan(500)
      if (isTooLarge === true) expect(statuses[0] ?? 431, told).toBe(431)
      if (isTooLarge === false) expect(statuses, told).not.toContain(431)
      if (text.length < sentAtOnce) expect(statuses, told).toHaveLength(1)
      trial.tried += 1
    })
    await askInLine(door, random)
    trial.note('requests one behind the other', inLine)
    expect(await memoryOf(door.service.pid)).toBeLessThan(before + memory)
  }
})

type Head = {
  readonly what: string
  readonly text: string
  /** Null where it may be. */
  readonly isTooLarge: boolean | null
}

const first = 'GET /healthz HTTP/1.1\r\n'
const host = 'Host: 127.0.0.1\r\nConnection: close\r\n'

/** About the limit, or anywhere up to a MiB. */
function sizeFrom(random: Random): number {
  const near = headSize - 2 * around + random.below(4 * around)
  return random.pick([near, near, random.below(headSize), random.below(mebibyte)])
}

function headOf(what: string, size: number, text: string): Head {
  const isNear = Math.abs(size - headSize) <= around
  return { what: `${what} of ${size} bytes`, text, isTooLarge: isNear ? null : size > headSize }
}

type Shape = (random: Random) => Head

const shapes: readonly [Shape, ...Shape[]] = [
  (random) => {
    const size = sizeFrom(random)
    return headOf('a target', size, `GET /${'x'.repeat(size)} HTTP/1.1\r\n${host}\r\n`)
  },
  (random) => {
    const size = sizeFrom(random)
    return headOf(
      'a query',
      size,
      `GET /healthz?${'a=b&'.repeat(size / 4)} HTTP/1.1\r\n${host}\r\n`,
    )
  },
  (random) => {
    const size = sizeFrom(random)
    return headOf('a value', size, `${first}${host}X-Large: ${'x'.repeat(size)}\r\n\r\n`)
  },
  (random) => {
    const size = sizeFrom(random)
    return headOf('a name', size, `${first}${host}${'x'.repeat(size)}: large\r\n\r\n`)
  },
  (random) => {
    const size = sizeFrom(random)
    const cookies = `Cookie: ${'a=b; '.repeat(50)}\r\n`
    return headOf('cookies', size, `${first}${host}${cookies.repeat(size / cookies.length)}\r\n`)
  },
  (random) => {
    const size = sizeFrom(random)
    const token = 'x'.repeat(size)
    return headOf('a token', size, `${first}${host}Authorization: Bearer ${token}\r\n\r\n`)
  },
  (random) => {
    const count = random.pick([random.below(headFields), random.below(4000)])
    const text = `${first}${host}${'X-A: b\r\n'.repeat(count)}\r\n`
    const fields = count + 2
    return { what: `${fields} fields`, text, isTooLarge: fields > headFields }
  },
  (random) => {
    const size = sizeFrom(random)
    const chunks = `Transfer-Encoding: chunked\r\n\r\n0\r\nX: ${'x'.repeat(size)}\r\n\r\n`
    // Who is answered before the trailer comes is answered once, all the same.
    const text = `POST /api/v1/images HTTP/1.1\r\n${host}Content-Type: application/json\r\n${chunks}`
    return { ...headOf('a trailer', size, text), isTooLarge: null }
  },
]

/** Each of many requests of one connection is answered in its turn, with what it asked for. */
async function askInLine({ where }: Door, random: Random): Promise<void> {
  const names = Array.from({ length: inLine }, (_, at) => `nowhere-${at}-${random.below(1000)}`)
  const texts = names.map((name, at) => {
    const fields = at === inLine - 1 ? host : 'Host: 127.0.0.1\r\n'
    return `GET /${name} HTTP/1.1\r\n${fields}\r\n`
  })
  const { answers, rest } = await exchange(where, [Buffer.from(texts.join(''))])
  expect(rest.length).toBe(0)
  expect(answers).toHaveLength(inLine)
  for (const [at, { status, body }] of answers.entries()) {
    expect(status).toBe(404)
    expect(body.toString()).toContain(`/${names[at]};`)
  }
}
