import { readFile } from 'node:fs/promises'
import { getCACertificates } from 'node:tls'
import { linesOf } from '../../env/file-lines.ts'
import { errno, Outage } from '../../errors.ts'
import { certificatesIn, type Trust } from '../../source/trust.ts'
import { keyOf } from './signature.ts'
import type { Subscriber } from './subscriber.ts'

export type Credentials = {
  readonly keys: readonly Buffer[]
  readonly headers: { readonly [name: string]: string }
  readonly trust: Trust
}

/**
 * What a subscriber is to be shown, from its files as they are now.
 * @throws Outage SOURCE_UNAVAILABLE that names the file and shows nothing of it
 */
export async function credentialsOf(subscriber: Subscriber): Promise<Credentials> {
  const { secrets, secretFile, headersFile, caFile } = subscriber
  return {
    keys: secretFile === null ? secrets : await keysIn(secretFile),
    headers: headersFile === null ? {} : await headersIn(headersFile),
    trust: caFile === null ? {} : await trustIn(caFile),
  }
}

async function keysIn(path: string): Promise<readonly Buffer[]> {
  const keys = linesOf(await textOf(path, 'secretFile')).map(({ number, text }) => {
    const key = keyOf(text)
    if (!key) throw wrong('secretFile', path, `line ${number} is no whsec_ secret`)
    return key
  })
  if (keys.length === 0) throw wrong('secretFile', path, 'it holds no secret')
  return keys
}

async function headersIn(path: string): Promise<{ readonly [name: string]: string }> {
  const lines = linesOf(await textOf(path, 'headersFile'))
  return Object.fromEntries(
    lines.map(({ number, text }) => {
      const [, name, value] = /^([!#$%&'*+.^`|~\w-]+):\s*([\x20-\x7e]+)$/.exec(text) ?? []
      if (name === undefined || value === undefined) {
        throw wrong('headersFile', path, `line ${number} is no "Name: value"`)
      }
      return [name.toLowerCase(), value]
    }),
  )
}

async function trustIn(path: string): Promise<Trust> {
  const found = certificatesIn(await textOf(path, 'caFile'))
  if (!found) throw wrong('caFile', path, 'it holds no certificate, or one that cannot be read')
  return { ca: [...getCACertificates('default'), ...found] }
}

async function textOf(path: string, field: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw wrong(field, path, `it cannot be read (${errno(cause) ?? 'unknown'})`, cause)
  }
}

function wrong(field: string, path: string, what: string, cause?: unknown): Outage {
  return new Outage('SOURCE_UNAVAILABLE', `${field} is "${path}": ${what}`, { cause })
}
