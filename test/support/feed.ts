import { setImmediate } from 'node:timers/promises'
import pino from 'pino'
import type { Change } from '../../src/catalog/images.ts'
import { everyone, type Caller } from '../../src/serve/auth/caller.ts'
import { Feed } from '../../src/serve/api/feed.ts'
import { Presenter } from '../../src/serve/api/present.ts'
import { Stream } from '../../src/serve/api/stream.ts'
import { Progress } from '../../src/work/progress.ts'
import { ServerKey } from '../../src/work/server-key.ts'
import { newImage, openCatalog, storedOf, TestClock } from './catalog.ts'
import { EventParser, Mirror, type Told } from './event-source.ts'

export const provisioning: Change = {
  phase: 'Provisioning',
  ready: { reason: 'Provisioning', message: '' },
}
export const ready: Change = {
  phase: 'Ready',
  ready: { reason: 'Ready', message: '' },
  stored: storedOf('a'),
}
export const terminating: Change = { phase: 'Terminating', ready: { reason: 'Ready', message: '' } }

/** A feed over a catalog in memory, whose seconds go by when the test says so. */
export async function openFeed() {
  const clock = new TestClock()
  const { catalog, ...opened } = await openCatalog(clock)
  const progress = new Progress(clock.now)
  const key = new ServerKey(new Uint8Array(32))
  const names = () => ({ external: 'http://a', inCluster: 'http://a', registryHost: 'a' })
  const presenter = new Presenter({ catalog, progress, key, names })
  let tick: (() => void) | null = null
  const ticking = (given: () => void) => {
    tick = given
    return () => (tick = null)
  }
  const feed = new Feed({ catalog, progress, presenter, log: pino({ level: 'silent' }), ticking })
  return {
    ...opened,
    catalog,
    clock,
    progress,
    feed,
    presenter,
    get isTicking() {
      return tick !== null
    },
    /** A second goes by. */
    async second(count = 1): Promise<void> {
      for (let done = 0; done < count; done += 1) {
        clock.advance(1000)
        tick?.()
        await setImmediate()
      }
    },
    add: (name: string, uid = `uid-${name}`) =>
      catalog.transaction(({ images }) => images.add(newImage(name, { uid }))),
    change: (uid: string, change: Change) =>
      catalog.transaction(({ images }) => images.change(uid, change)),
    remove: (name: string, uid = `uid-${name}`) =>
      catalog.transaction(({ images }) => images.remove({ name, uid })),
  }
}

/** A client of a feed: what was told until nothing more was to be told. */
export class Listener implements AsyncDisposable {
  readonly mirror = new Mirror()
  readonly parser: EventParser
  readonly frames: AsyncGenerator<Buffer>
  caller: Caller | null = everyone
  #pending: Promise<IteratorResult<Buffer>> | null = null
  #ended = new AbortController()

  constructor(feed: Feed, lastId = '', name: string | null = null) {
    this.parser = new EventParser(lastId)
    const from = lastId === '' ? null : Number(lastId)
    const again = () => Promise.resolve(this.caller)
    this.frames = new Stream(feed, { name, from, again }, everyone).frames(this.#ended.signal)
  }

  /** Null when there is nothing to tell now, undefined at the end. */
  async pull(): Promise<readonly Told[] | null | undefined> {
    this.#pending ??= this.frames.next()
    const next = await Promise.race([this.#pending, setImmediate(null)])
    if (!next) return null
    this.#pending = null
    if (next.done) return undefined
    const told = [...this.parser.read(next.value.toString())]
    for (const each of told) this.mirror.take(each)
    return told
  }

  /** What comes until there is nothing more, in short. */
  async all(): Promise<readonly string[]> {
    const words: string[] = []
    for (let told = await this.pull(); told; told = await this.pull())
      words.push(...told.map(short))
    return words
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort()
    await this.frames.return(undefined)
  }
}

function short({ event, data }: Told): string {
  if (event === 'reset') return event
  const { name, status } = JSON.parse(data)
  return event === 'deleted' ? `${name} deleted` : `${name} ${status.phase}`
}
