import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { Outage } from '../errors.ts'
import { pathOf } from './path.ts'
import type { Rest } from './rest.ts'

/** One event; `id` is null where it bears none, and empty where the whole state begins. */
export type ServiceEvent = {
  readonly event: string
  readonly data: string
  readonly id: string | null
}

/** The service gives a sign of life every 15 s. Milliseconds. */
const silence = 45_000
/** Characters of one event: an image with a CA bundle of 256 KiB and its details is far below. */
const largest = 4 * 1024 * 1024

/**
 * What happens to images (http-api, `GET /api/v1/events`), once the service has begun to tell it.
 * @param lastId where to go on; empty for the whole state
 * @param name of the one image that is listened to, null for all
 * @throws what `Rest` throws, here and while it is read
 */
export async function openEvents(
  rest: Rest,
  lastId: string,
  signal: AbortSignal,
  name: string | null = null,
): Promise<AsyncGenerator<ServiceEvent>> {
  const path = name === null ? '/api/v1/events' : `${pathOf(name)}/events`
  const headers = lastId === '' ? {} : { 'last-event-id': lastId }
  const type = 'text/event-stream'
  return eventsIn(await rest.open(path, type, headers, silence, signal))
}

/** @throws Outage SERVICE_UNREACHABLE for an event that is too large */
export async function* eventsIn(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<ServiceEvent> {
  let events: ServiceEvent[] = []
  const parser = createParser({
    maxBufferSize: largest,
    onEvent: (message) => events.push(toldBy(message)),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw tooLarge(error)
    },
  })
  const decoder = new TextDecoder()
  for await (const piece of pieces) {
    parser.feed(decoder.decode(piece, { stream: true }))
    yield* events
    events = []
  }
}

function toldBy({ event = '', data, id }: EventSourceMessage): ServiceEvent {
  return { event, data, id: id ?? null }
}

function tooLarge(cause: unknown): Outage {
  return new Outage('SERVICE_UNREACHABLE', `an event is longer than ${largest} characters`, {
    cause,
  })
}
