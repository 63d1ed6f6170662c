import { z } from 'zod'
import type { Rest } from './rest.ts'

const fact = z.union([z.string(), z.number(), z.boolean(), z.null()])

const runSchema = z.object({
  id: z.string(),
  kind: z.enum(['gc', 'scrub']),
  state: z.enum(['running', 'done', 'failed', 'interrupted']),
  options: z.record(z.string(), fact),
  progress: z.record(z.string(), fact),
  message: z.string(),
})

/** A collection or a scrub as REST shows it. */
export type StorageRun = z.output<typeof runSchema>

/** Begins a run; one of its kind that runs already is answered instead. */
export async function beginRun(
  rest: Rest,
  kind: StorageRun['kind'],
  options: object,
  signal: AbortSignal,
): Promise<StorageRun> {
  return await rest.post(`/api/v1/storage/${kind}`, options, runSchema, signal)
}

export async function runById(rest: Rest, id: string, signal: AbortSignal): Promise<StorageRun> {
  return await rest.get(`/api/v1/storage/runs/${id}`, runSchema, signal)
}
