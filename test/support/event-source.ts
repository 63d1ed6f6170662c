import { z } from 'zod'
import { imageSchema } from '../../src/image/status.ts'
import { within } from './deadline.ts'
import type { Image } from './rest.ts'

/** One event as a browser would see it; `id` is the last one that was given. */
export type Told = { readonly event: string; readonly data: string; readonly id: string }

/** How long the next event may take, in milliseconds. */
const usually = 20_000

/** Reads events out of text as browsers do (WHATWG HTML, "Interpreting an event stream"). */
export class EventParser {
  /** What is sent as Last-Event-ID. */
  lastId: string
  comments = 0
  #rest = ''
  #event = ''
  #data: string[] = []
  #id: string

  constructor(lastId = '') {
    this.lastId = lastId
    this.#id = lastId
  }

  *read(text: string): Generator<Told> {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line === '') yield* this.#dispatch()
      else this.#field(line)
    }
  }

  #field(line: string): void {
    const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    if (name === '') this.comments += 1
    else if (name === 'event') this.#event = value
    else if (name === 'data') this.#data.push(value)
    else if (name === 'id') this.#id = value
    else throw new Error(`no field of an event: ${line}`)
  }

  *#dispatch(): Generator<Told> {
    this.lastId = this.#id
    const told = { event: this.#event, data: this.#data.join('\n'), id: this.#id }
    this.#event = ''
    this.#data = []
    if (told.data !== '') yield told
  }
}

const deletedSchema = z.strictObject({ name: z.string(), uid: z.string() })

/** The images as a page would hold them that only ever listens. */
export class Mirror {
  readonly images = new Map<string, Image>()
  readonly told: Told[] = []

  take(told: Told): void {
    this.told.push(told)
    if (told.event === 'reset') return this.images.clear()
    if (told.event === 'image') {
      const image = imageSchema.parse(JSON.parse(told.data))
      return void this.images.set(image.name, image)
    }
    const { name, uid } = deletedSchema.parse(JSON.parse(told.data))
    if (this.images.get(name)?.uid === uid) this.images.delete(name)
  }

  /** What an image went through, `deleted` at its end. */
  phasesOf(name: string): readonly string[] {
    return this.told.flatMap(({ event, data }) => {
      if (event === 'reset') return []
      const about = z.object({ name: z.string(), status: imageSchema.shape.status.optional() })
      const { name: of, status } = about.parse(JSON.parse(data))
      return of === name ? [status?.phase ?? event] : []
    })
  }

  /** By name. */
  get all(): readonly Image[] {
    return [...this.images.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }
}

/** A stream of events over HTTP, one connection. */
export class EventStream implements AsyncDisposable {
  readonly answer: Response
  readonly parser: EventParser
  readonly #events: AsyncGenerator<Told>
  readonly #controller: AbortController

  private constructor(answer: Response, lastId: string, controller: AbortController) {
    this.answer = answer
    this.parser = new EventParser(lastId)
    this.#controller = controller
    this.#events = this.#read()
  }

  /** @throws Error unless the answer is 200 */
  static async open(url: string, lastId = '', token?: string): Promise<EventStream> {
    const controller = new AbortController()
    const headers = {
      ...(lastId !== '' && { 'last-event-id': lastId }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    }
    const answer = await fetch(url, { headers, signal: controller.signal })
    if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
    return new EventStream(answer, lastId, controller)
  }

  /** Null when the stream has ended. */
  async next(): Promise<Told | null> {
    const { value, done } = await within(usually, 'the next event', this.#events.next())
    return done ? null : value
  }

  /** The next event that holds, with those before it. */
  async until(holds: (told: Told) => boolean, mirror = new Mirror()): Promise<Mirror> {
    for (;;) {
      const told = await this.next()
      if (!told) throw new Error('the stream ended')
      mirror.take(told)
      if (holds(told)) return mirror
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#controller.abort()
  }

  async *#read(): AsyncGenerator<Told> {
    const decoder = new TextDecoder()
    for await (const chunk of this.answer.body ?? []) {
      yield* this.parser.read(decoder.decode(chunk, { stream: true }))
    }
  }
}
