import { createHash } from 'node:crypto'
import { get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Bench } from './bench.ts'
import { run } from './command.ts'

type Clock = Pick<Bench, 'within' | 'signal'>

/** Sends a file as the body of one PUT. A server must not wait for an Expect that another one ignores. */
export async function send(file: string, url: string, { within, signal }: Clock): Promise<void> {
  const quiet = ['--silent', '--show-error', '--fail-with-body', '--output', '-']
  const headers = ['--header', 'Expect:', '--header', 'Content-Type: application/octet-stream']
  await run('curl', [...quiet, ...headers, '--upload-file', file, url], within, signal)
}

/** Receives a file and throws it away; tells how many bytes it had. */
export async function receive(url: string, { within, signal }: Clock): Promise<number> {
  const quiet = ['--silent', '--show-error', '--fail', '--output', '/dev/null']
  const told = await run('curl', [...quiet, '--write-out', '%{size_download}', url], within, signal)
  return Number(told)
}

/** Keeps a file that a server has. */
export async function save(url: string, path: string, { within, signal }: Clock): Promise<void> {
  const quiet = ['--silent', '--show-error', '--fail']
  await run('curl', [...quiet, '--output', path, url], within, signal)
}

/** sha-256 of what a URL gives, in hex. */
async function digestAt(
  url: string,
  { within, signal }: Clock,
  headers: OutgoingHttpHeaders,
): Promise<string> {
  const bounded = AbortSignal.any([AbortSignal.timeout(within), signal])
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { signal: bounded, agent: false, headers }, resolve).on('error', reject)
  })
  if (response.statusCode !== 200) throw new Error(`it answered ${response.statusCode}`)
  const hash = createHash('sha256')
  await pipeline(response, hash, { signal: bounded })
  return hash.digest('hex')
}

/** @throws Error when a URL gives other bytes than it should, or not all of them */
export async function assertDigest(
  url: string,
  expected: string,
  clock: Clock,
  headers: OutgoingHttpHeaders = {},
): Promise<void> {
  const found = await digestAt(url, clock, headers).catch((cause: unknown) => {
    throw new Error(`${url} could not be read to its end`, { cause })
  })
  if (found !== expected) throw new Error(`${url} gave sha256:${found}, expected ${expected}`)
}
