import { createParser } from 'eventsource-parser'
/** @import { Api } from './api.js' */

/** @typedef {{ event: string, data: string, id: string | null }} Told */

/** Something is said every 15 s; who is silent for longer is gone. Milliseconds. */
const silence = 45_000

/**
 * The stream of events until it ends, read by fetch so that the token goes along (http-api, `GET /api/v1/events`).
 * @param {Pick<Api, 'open'>} api
 * @param {string} lastId where to go on, empty for the whole state
 * @param {{ opened: () => void, take: (told: Told) => void }} listener
 * @param {AbortSignal} signal
 */
export async function listen(api, lastId, { opened, take }, signal) {
  const quiet = new AbortController()
  const headers = lastId === '' ? {} : { 'last-event-id': lastId }
  const ends = AbortSignal.any([signal, quiet.signal])
  const response = await api.open('api/v1/events', { headers, signal: ends })
  if (!response.body) return
  opened()
  const parser = createParser({
    onEvent: ({ event = '', data, id }) => take({ event, data, id: id ?? null }),
  })
  const tooQuiet = () =>
    quiet.abort(new Error('the service says nothing any more; it is asked again'))
  let alarm = setTimeout(tooQuiet, silence)
  try {
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
      clearTimeout(alarm)
      alarm = setTimeout(tooQuiet, silence)
      parser.feed(text)
    }
  } finally {
    clearTimeout(alarm)
  }
}
