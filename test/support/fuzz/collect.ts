import { expect } from 'vitest'
import { z } from 'zod'
import { get } from '../rest.ts'

const runSchema = z.object({ id: z.string(), state: z.string() })

/** Removes what nothing needs, and waits for the end of it. @param base of the service */
export async function collectGarbage(
  base: string,
  headers: Record<string, string> = {},
): Promise<void> {
  const gc = await fetch(`${base}/api/v1/storage/gc`, { method: 'POST', headers })
  const { id } = runSchema.parse(await gc.json())
  await expect
    .poll(async () => {
      const answer = await get(`${base}/api/v1/storage/runs/${id}`, headers)
      return runSchema.parse(await answer.json()).state
    })
    .toBe('done')
}
