import { createHash, type Hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { z } from 'zod'

/** The far side of `digester.ts`: sessions of running hashes, messages in the order in which they were sent. */
const request = z.object({
  ticket: z.number().optional(),
  session: z.number(),
  open: z.array(z.string()).optional(),
  bytes: z.instanceof(Uint8Array).optional(),
  finish: z.boolean().optional(),
  drop: z.boolean().optional(),
})

const sessions = new Map<number, Map<string, Hash>>()

function hex(running: Map<string, Hash>): Record<string, string> {
  return Object.fromEntries([...running].map(([name, hash]) => [name, hash.digest('hex')]))
}

function serve(message: unknown): void {
  const { ticket, session, open, bytes, finish, drop } = request.parse(message)
  if (open) sessions.set(session, new Map(open.map((name) => [name, createHash(name)])))
  const running = sessions.get(session)
  if (bytes && running) for (const hash of running.values()) hash.update(bytes)
  const hashes = finish && running ? hex(running) : undefined
  if (finish || drop) sessions.delete(session)
  if (ticket !== undefined) parentPort?.postMessage({ ticket, hashes })
}

parentPort?.on('message', serve)
