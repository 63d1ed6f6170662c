import { Writable, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { asFailure } from '../errors.ts'
import type { Facts } from '../image/format.ts'
import { Inspection } from '../inspect/inspection.ts'
import type { Limits } from '../inspect/inspector.ts'
import { unwrap } from '../unwrap/unwrap.ts'

/**
 * Reads a file to its end, unwrapped, and keeps nothing but the facts. `size` is the length of `body` in bytes when it is
 * known. `body` is read or destroyed in every case.
 * @throws Flaw, what `body` fails with, AbortError
 */
export async function examine(
  body: Readable,
  size: number | null,
  limits: Limits & { readonly maxOutput: number },
  signal: AbortSignal,
): Promise<Facts> {
  const unwrapped = await unwrap(body, limits, signal)
  const inspection = new Inspection(limits, unwrapped.wrapping.length === 0 ? size : null)
  await pipeline(unwrapped.body, into(inspection), { signal })
  return inspection.finish()
}

function into(inspection: Inspection): Writable {
  return new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      try {
        inspection.push(chunk)
        done()
      } catch (error) {
        done(asFailure(error))
      }
    },
  })
}
