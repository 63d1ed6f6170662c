import { open } from 'node:fs/promises'
import type { Settings } from '../env.ts'
import { token as tokenIn } from '../env/texts.ts'
import { errno, Outage } from '../errors.ts'

/** The token that the service is shown with a request; null for none. */
export type TokenSource = () => Promise<string | null>

/** What a service takes as one header. */
const longest = 16 * 1024

/**
 * The token of `SLIPWAY_TOKEN`, or of `SLIPWAY_TOKEN_FILE`, which is read anew each time: the tokens that Kubernetes puts into
 * pods are replaced while they run. A file that is no good now may be so later.
 * @returns what throws Outage SERVICE_UNREACHABLE when the file cannot be read or holds no token
 */
export function tokenSource({ token, tokenFile }: Pick<Settings, 'token' | 'tokenFile'>) {
  const source: TokenSource = () =>
    tokenFile === null ? Promise.resolve(token) : readToken(tokenFile)
  return source
}

async function readToken(path: string): Promise<string> {
  const token = tokenIn((await textOf(path)).trim())
  if (token !== undefined) return token
  throw useless(path, 'it holds no token')
}

async function textOf(path: string): Promise<string> {
  try {
    await using file = await open(path)
    const { bytesRead, buffer } = await file.read(Buffer.alloc(longest), 0, longest, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } catch (cause) {
    throw useless(path, `it cannot be read (${errno(cause) ?? 'unknown'})`, cause)
  }
}

function useless(path: string, why: string, cause?: unknown): Outage {
  return new Outage('SERVICE_UNREACHABLE', `SLIPWAY_TOKEN_FILE is "${path}": ${why}`, { cause })
}
