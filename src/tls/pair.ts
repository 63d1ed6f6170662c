import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { errno } from '../errors.ts'

/** Paths of the listener's certificate chain and of its private key, both PEM. */
export type TlsFiles = { readonly cert: string; readonly key: string }

export type KeyPair = {
  readonly cert: Buffer
  readonly key: Buffer
  /** Whom the certificate names, on one line. */
  readonly subject: string
  readonly validTo: Date
}

/**
 * A certificate chain and the key that belongs to it.
 * @throws Error that says in one line which file cannot be used, and why
 */
export async function readPair(files: TlsFiles): Promise<KeyPair> {
  const [cert, key] = await Promise.all([read(files.cert), read(files.key)])
  return pairOf(cert, key, files)
}

/** @throws Error that says in one line which of the two, as `files` calls them, cannot be used, and why */
export function pairOf(cert: Buffer, key: Buffer, files: TlsFiles): KeyPair {
  const leaf = named(files.cert, 'holds no certificate in PEM', () => new X509Certificate(cert))
  const secret = named(files.key, 'holds no private key in PEM without a passphrase', () =>
    createPrivateKey(key),
  )
  if (!leaf.checkPrivateKey(secret)) {
    throw new Error(`the key in ${files.key} does not belong to the certificate in ${files.cert}`)
  }
  // The rest of the chain is read only here.
  named(files.cert, 'cannot be used with its key', () => createSecureContext({ cert, key }))
  return { cert, key, subject: subjectOf(leaf), validTo: leaf.validToDate }
}

/**
 * Another text as soon as one of the files was written to or is another file. Links are followed, so that a mounted
 * Kubernetes secret, which is swapped by its folder's link, shows too.
 */
export async function fingerprint({ cert, key }: TlsFiles): Promise<string> {
  return (await Promise.all([cert, key].map(one))).join(' ')
}

async function one(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true })
    return `${dev}:${ino}:${size}:${mtimeNs}`
  } catch (error) {
    return errno(error) ?? 'unreadable'
  }
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new Error(`${path} cannot be read (${errno(cause) ?? 'unknown'})`, { cause })
  }
}

function named<Value>(path: string, what: string, make: () => Value): Value {
  try {
    return make()
  } catch (cause) {
    throw new Error(`${path} ${what} (${errno(cause) ?? 'unknown'})`, { cause })
  }
}

/** A certificate may name nobody but in its alternative names. */
function subjectOf({ subject, subjectAltName }: X509Certificate): string {
  return (subject || subjectAltName || 'nobody').replaceAll('\n', ', ')
}
