import { once } from 'node:events'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { z } from 'zod'

const answer = z.tuple([z.string().nullable()])

/**
 * As `quickCheck`, in a thread of its own. Meanwhile the catalog is read and written as ever; its log grows until the end.
 * @param path of a file
 */
export async function quickCheckAside(path: string, signal: AbortSignal): Promise<string | null> {
  signal.throwIfAborted()
  // A published package holds compiled files, a checkout the sources: the worker lies beside this file either way.
  const worker = new Worker(
    new URL(`./quick-check-worker${extname(import.meta.filename)}`, import.meta.url),
    { workerData: path },
  )
  try {
    return answer.parse(await once(worker, 'message', { signal }))[0]
  } finally {
    await worker.terminate()
  }
}
