import { open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { Refusal } from '../errors.ts'
import type { WholeFile } from '../inspect/survey.ts'

/** Large enough for a decoder to be the bottleneck. */
const chunk = 1024 * 1024

export type LocalFile = WholeFile & AsyncDisposable & { readonly stream: () => Readable }

/**
 * A file to be looked at where it lies.
 * @throws Refusal NOT_FOUND, UNSUPPORTED
 */
export async function openLocalFile(path: string): Promise<LocalFile> {
  const unreadable = (cause: unknown) => {
    const message = `the file ${path} cannot be opened; check its name and rights`
    throw new Refusal('NOT_FOUND', message, { cause })
  }
  // Asked before it is opened: a pipe would wait for somebody to write.
  const named = await stat(path).catch(unreadable)
  if (!named.isFile()) throw new Refusal('UNSUPPORTED', `${path} is no file`)
  const handle = await open(path).catch(unreadable)
  await using undo = new AsyncDisposableStack()
  undo.use(handle)
  const found = await handle.stat()
  undo.move()
  return {
    size: found.size,
    stream: () => handle.createReadStream({ start: 0, autoClose: false, highWaterMark: chunk }),
    async read(offset, length, signal) {
      signal.throwIfAborted()
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, found.size - offset)))
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset)
      return bytes.subarray(0, bytesRead)
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
}
