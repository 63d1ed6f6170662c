import { createHash, type Hash } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import type { Answer, Request } from './digest-messages.ts'

/** The far side of `digester.ts`: sessions of running hashes. It imports little, since every thread pays for it. */
const memory: SharedArrayBuffer = workerData
const sessions = new Map<number, ReadonlyMap<string, Hash>>()

parentPort?.on('message', (request: Request) => serve(request))

function serve(request: Request): void {
  const running = sessions.get(request.session)
  if ('open' in request) sessions.set(request.session, opened(request.open))
  else if ('drop' in request) sessions.delete(request.session)
  else if ('finish' in request) {
    sessions.delete(request.session)
    reply({ ticket: request.ticket, hashes: results(running) })
  } else {
    const bytes = 'copy' in request ? request.copy : slab(request)
    for (const hash of running?.values() ?? []) hash.update(bytes)
    // A copy is nobody else's; this thread makes too little garbage to collect it soon.
    if (bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0)
    reply({ ticket: request.ticket })
  }
}

function opened(algorithms: readonly string[]): ReadonlyMap<string, Hash> {
  return new Map(algorithms.map((algorithm) => [algorithm, createHash(algorithm)]))
}

function slab({ offset, length }: { offset: number; length: number }): Uint8Array {
  return new Uint8Array(memory, offset, length)
}

function results(running: ReadonlyMap<string, Hash> | undefined): Record<string, string> {
  return Object.fromEntries([...(running ?? [])].map(([name, hash]) => [name, hash.digest('hex')]))
}

function reply(answer: Answer): void {
  parentPort?.postMessage(answer)
}
