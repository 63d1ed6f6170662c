import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const openssl = (...args: readonly string[]) => run('openssl', args, { timeout: 30_000 })

export type Certificates = { readonly ca: string; readonly key: string; readonly cert: string }

/** A fresh authority and a server certificate for `names` (as `DNS:…` and `IP:…`); needs openssl. */
export async function certify(...names: readonly string[]): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-ca-'))
  try {
    return await issue(folder, names)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function issue(folder: string, names: readonly string[]): Promise<Certificates> {
  const at = (name: string) => join(folder, name)
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  const ca = ['-x509', '-keyout', at('ca.key'), '-out', at('ca.pem'), '-subj', '/CN=Neighbour CA']
  await openssl('req', ...fresh, ...ca)
  const own = ['-keyout', at('key.pem'), '-out', at('request.pem'), '-subj', '/CN=neighbour']
  await openssl('req', ...fresh.slice(0, -2), ...own)
  await writeFile(at('names'), `subjectAltName=${names.join(',')}\n`)
  const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2']
  const signed = ['-in', at('request.pem'), '-out', at('cert.pem'), '-extfile', at('names')]
  await openssl('x509', '-req', ...signer, ...signed)
  const [authority, key, cert] = await Promise.all(
    ['ca.pem', 'key.pem', 'cert.pem'].map((name) => readFile(at(name), 'utf8')),
  )
  return { ca: authority ?? '', key: key ?? '', cert: cert ?? '' }
}
