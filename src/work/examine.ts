import { Writable, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { asFailure } from '../errors.ts'
import type { Facts } from '../image/format.ts'
import { Inspection } from '../inspect/inspection.ts'
import type { Limits } from '../inspect/inspector.ts'
import { inspectSparsely } from '../inspect/sparse.ts'
import { survey, type WholeFile } from '../inspect/survey.ts'
import { isWrapped } from '../unwrap/table.ts'
import { peekLength } from '../unwrap/unwrapper.ts'
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

/**
 * Finds out what a file on a disk is. Of one that is not wrapped only the places are read that tell it, and its tables.
 * @throws as `examine`
 */
export async function examineFile(
  file: WholeFile & { readonly stream: () => Readable },
  limits: Limits & { readonly maxOutput: number },
  signal: AbortSignal,
): Promise<Facts> {
  if (isWrapped(await file.read(0, peekLength, signal))) {
    return await examine(file.stream(), null, limits, signal)
  }
  const facts = await inspectSparsely(file, limits, signal)
  return { ...facts, ...(await survey(facts.format, file, signal)) }
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
