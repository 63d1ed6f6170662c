/**
 * One Server-Sent Event (WHATWG HTML, "Server-sent events").
 * @param data without line breaks
 * @param id where a client goes on: the empty one, from the beginning; null keeps the one before
 */
export function frame(event: string, data: string, id: string | null): Buffer {
  const place = id === null ? '' : `id: ${id}\n`
  return Buffer.from(`event: ${event}\n${place}data: ${data}\n\n`)
}

/** Says nothing, so that nobody in between takes the connection for dead; an id without data is kept and not told. */
export function silence(id: string | null): Buffer {
  return Buffer.from(id === null ? ':\n\n' : `:\nid: ${id}\n\n`)
}
