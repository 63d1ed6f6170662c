import { readFile } from 'node:fs/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { errno, Refusal } from '../errors.ts'
import { certificatesIn } from '../source/trust.ts'

/**
 * Adds the certificates of a file (`SSL_CERT_FILE`) to those that every TLS connection of this process trusts when it is
 * told nothing else: imports, registries, proxies, the object store, the API server and this service's own clients.
 * @throws Refusal UNSUPPORTED when the file cannot be read, or holds no certificates
 */
export async function trustAlso(path: string): Promise<void> {
  const found = certificatesIn(await textOf(path))
  if (!found) {
    throw wrongFile(path, 'it holds no certificate, or one that cannot be read; give PEM')
  }
  setDefaultCACertificates([...getCACertificates('default'), ...found])
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'latin1')
  } catch (cause) {
    const why = `it cannot be read (${errno(cause) ?? 'unknown'})`
    throw wrongFile(path, `${why}; give a file this user may read`, cause)
  }
}

function wrongFile(path: string, what: string, cause?: unknown): Refusal {
  return new Refusal('UNSUPPORTED', `SSL_CERT_FILE is "${path}": ${what}`, { cause })
}
