import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from '../support/deadline.ts'
import type { Random } from '../support/random.ts'
import { Replay } from './replay.ts'

const directions = ['there', 'back'] as const
/** `there` is towards the server. */
type Direction = (typeof directions)[number]

/** What a connection meets, after so many bytes in one direction. */
export type Fate =
  | { readonly kind: 'fine' | 'refused' | 'mute' }
  | {
      readonly kind: 'reset' | 'ended' | 'half-closed'
      readonly direction: Direction
      readonly at: number
    }
  /** Nothing passes for so many milliseconds, not even that a side has closed; Infinity: for ever. */
  | { readonly kind: 'stalled'; readonly at: number; readonly lasts: number }
  /** At most so many bytes at a time, with so many milliseconds before each. */
  | { readonly kind: 'slow'; readonly piece: number; readonly wait: number }
  /** What the client says is said again over a second connection, at once or when it has been answered. */
  | { readonly kind: 'twice'; readonly isLate: boolean }

export type Kind = Fate['kind']

export type CableOptions = {
  readonly random: Random
  /** Of 100 connections so many meet a fault. */
  readonly share: number
  /** Faults come before so many bytes of a connection. */
  readonly reach: number
  /** Where the bytes go that count; both ways unless said otherwise. */
  readonly mainly?: Direction
  /** What never happens here. */
  readonly without?: readonly Kind[]
  /** Bytes after which a connection breaks at the latest: for those who keep one for as long as it is good. */
  readonly wear?: number
  /** Nothing lasts for ever: for those whose patience is longer than a trial. */
  readonly isBounded?: boolean
}

/** What is not carried at a time, of a slow connection: so long at most for all of it, in milliseconds. */
const slowFor = 2_000

const kinds = [
  ...(['reset', 'reset', 'ended', 'ended', 'half-closed'] as const),
  ...(['stalled', 'slow', 'slow', 'refused', 'mute'] as const),
  ...(['twice', 'twice', 'twice'] as const),
] as const

/** What a connection meets by chance. */
function fateOf({
  random,
  share,
  reach,
  without = [],
  isBounded = false,
  mainly,
}: CableOptions): Fate {
  const kind = random.below(100) < share ? random.pick(kinds) : 'fine'
  if (without.includes(kind) || (isBounded && kind === 'mute')) return { kind: 'fine' }
  // Some of them in a head, or right behind it.
  const isInHead = random.below(mainly ? 5 : 2) === 0
  const at = random.below(isInHead ? 1_000 : reach)
  const direction = isInHead || !mainly ? random.pick(directions) : mainly
  const isEndless = random.below(4) === 0 && !isBounded
  if (kind === 'stalled') return { kind, at, lasts: isEndless ? Infinity : random.below(1_500) }
  if (kind === 'slow') return { kind, piece: 1 + random.below(50_000), wait: random.below(8) }
  if (kind === 'twice') return { kind, isLate: random.below(2) === 0 }
  if (kind === 'fine' || kind === 'mute' || kind === 'refused') return { kind }
  return { kind, at, direction }
}

/** How much a connection carries at most; most of them little. */
function bytesOf({ random, wear }: CableOptions): number {
  if (wear === undefined) return Infinity
  return random.below(random.below(3) === 0 ? wear : Math.ceil(wear / 20))
}

/** A bad cable to a server: what a connection over it meets is drawn for each anew. */
export async function startBadCable(
  target: () => string,
  options: CableOptions,
): Promise<BadCable> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  const cable = new BadCable(server, target, options)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return cable
}

export class BadCable implements AsyncDisposable {
  /** How often each of them was met. */
  readonly counts = new Map<Kind, number>()
  readonly #server: Server
  readonly #target: () => string
  readonly #options: CableOptions
  readonly #sockets = new Set<Socket>()
  readonly #replays = new Set<Promise<void>>()
  readonly #over = Promise.withResolvers<void>()
  #isMended = false

  constructor(server: Server, target: () => string, options: CableOptions) {
    this.#server = server
    this.#target = target
    this.#options = options
    server.on('connection', (client) => {
      this.#keep(client)
      // What breaks is broken on both sides; who is connected finds out.
      this.#take(client).catch(() => client.destroy())
    })
  }

  /** `http://address:port` */
  get base(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the cable has no port')
    return `http://127.0.0.1:${address.port}`
  }

  /** How often anything was met. */
  get faults(): number {
    return [...this.counts].reduce((sum, [kind, count]) => sum + (kind === 'fine' ? 0 : count), 0)
  }

  /** From now on every new connection is fine, or none is any more. */
  mend(isMended = true): void {
    this.#isMended = isMended
  }

  /** Breaks all connections that are there. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  /** Resolves when what is said twice has been said. */
  async quiet(): Promise<void> {
    while (this.#replays.size > 0) await Promise.all(this.#replays)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#over.resolve()
    for (const socket of this.#sockets) socket.destroy()
    await within(10_000, 'the end of the cable', closed)
    await this.quiet()
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy()).once('close', () => this.#sockets.delete(socket))
  }

  async #take(client: Socket): Promise<void> {
    const fate = this.#isMended ? ({ kind: 'fine' } as const) : fateOf(this.#options)
    this.counts.set(fate.kind, (this.counts.get(fate.kind) ?? 0) + 1)
    if (fate.kind === 'refused') return void client.resetAndDestroy()
    if (fate.kind === 'mute') return void client.resume().on('end', () => client.end())
    const { hostname, port } = new URL(this.#target())
    const server = connect({ port: Number(port), host: hostname, allowHalfOpen: true })
    this.#keep(server)
    const lasts = this.#isMended ? Infinity : bytesOf(this.#options)
    const line = new Line({ client, server }, fate, lasts, this.#over.promise)
    if (fate.kind === 'twice') this.#repeat(line, fate.isLate)
    await line.carry()
  }

  #repeat(line: Line, isLate: boolean): void {
    const replay = new Replay(this.#target(), isLate, this.#over.promise)
    line.onBytes = (direction, bytes) => replay.hear(direction === 'there', bytes)
    const done = replay.done.finally(() => this.#replays.delete(done))
    this.#replays.add(done)
    line.onEnd = () => replay.end()
  }
}

type Ends = { readonly client: Socket; readonly server: Socket }

/** One connection over the cable. */
class Line {
  onBytes: (direction: Direction, bytes: Buffer) => void = () => {}
  onEnd: () => void = () => {}
  readonly #client: Socket
  readonly #server: Socket
  readonly #fate: Fate
  readonly #lasts: number
  readonly #over: Promise<void>
  readonly #passed = { there: 0, back: 0 }
  /** Where what comes gets lost. */
  #lost: Direction | null = null
  #stall: Promise<unknown> | null = null

  /** @param lasts bytes that it carries at most, both ways */
  constructor({ client, server }: Ends, fate: Fate, lasts: number, over: Promise<void>) {
    this.#client = client
    this.#server = server
    this.#fate = fate
    this.#lasts = lasts
    this.#over = over
  }

  async carry(): Promise<void> {
    const ways = [this.#carry('there'), this.#carry('back')]
    try {
      await Promise.all(ways)
    } finally {
      await this.#stall
      for (const socket of [this.#client, this.#server]) socket.destroy()
      await Promise.allSettled(ways)
      this.onEnd()
    }
  }

  async #carry(direction: Direction): Promise<void> {
    const [from, to] =
      direction === 'there' ? [this.#client, this.#server] : [this.#server, this.#client]
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      for (const piece of this.#pieces(chunk)) {
        await this.#meet(direction, piece)
        if (this.#lost === direction) continue
        this.onBytes(direction, piece)
        if (!to.write(piece)) await drained(to)
      }
    }
    await this.#stall
    to.end()
  }

  /** Up to the place where something happens, and from there on. */
  *#pieces(chunk: Buffer): Generator<Buffer> {
    const fate = this.#fate
    // In a hurry when there is much: a disk is not carried byte by byte.
    const piece = fate.kind === 'slow' ? Math.max(fate.piece, chunk.length / 8) : chunk.length
    for (let at = 0; at < chunk.length; at += Math.ceil(piece)) {
      yield chunk.subarray(at, at + Math.ceil(piece))
    }
  }

  async #meet(direction: Direction, piece: Buffer): Promise<void> {
    const fate = this.#fate
    const before = this.#passed[direction]
    this.#passed[direction] += piece.length
    const beyond = this.#passed.there + this.#passed.back - this.#lasts
    if (beyond > 0) this.#break('reset', direction, piece.subarray(0, -beyond))
    if (fate.kind === 'slow' && before < fate.piece * (slowFor / 8)) await pause(fate.wait)
    if (!('at' in fate) || fate.at < before || fate.at >= before + piece.length) {
      return void (await this.#stall)
    }
    if (fate.kind === 'stalled') {
      this.#stall ??= lasting(fate.lasts, this.#over)
      return void (await this.#stall)
    }
    if (fate.direction === direction)
      this.#break(fate.kind, direction, piece.subarray(0, fate.at - before))
  }

  #break(kind: 'reset' | 'ended' | 'half-closed', direction: Direction, last: Buffer): void {
    const to = direction === 'there' ? this.#server : this.#client
    if (kind === 'half-closed') {
      to.end(last)
      this.#lost = direction
      return
    }
    to.write(last)
    for (const socket of [this.#client, this.#server]) {
      if (kind === 'reset') socket.resetAndDestroy()
      else socket.destroySoon()
    }
    throw new Error(`broken ${direction}`)
  }
}

async function drained(socket: Socket): Promise<void> {
  const over = new AbortController()
  const wait = (event: string) => once(socket, event, { signal: over.signal })
  try {
    await Promise.race([wait('drain'), wait('close')])
  } finally {
    over.abort()
  }
}

async function lasting(milliseconds: number, over: Promise<void>): Promise<void> {
  if (milliseconds === Infinity) return await over
  await Promise.race([pause(milliseconds, null, { ref: false }), over])
}
