import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../shell.ts'

/** Files of PEM. */
export type Pair = { readonly cert: string; readonly key: string }

export type Credentials = {
  readonly ca: string
  readonly server: Pair
  /** Of `system:masters`, whom nothing is refused. */
  readonly admin: Pair
  /** What tokens of service accounts are signed with. */
  readonly serviceAccounts: string
}

const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** An authority of this cluster alone, and what it vouches for; needs openssl. */
export async function issueCredentials(folder: string): Promise<Credentials> {
  const at = (name: string) => join(folder, name)
  const own = ['-keyout', at('ca.key'), '-out', at('ca.pem'), '-subj', '/CN=cluster authority']
  await run('openssl', ['req', ...fresh, '-x509', '-days', '2', ...own])
  const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc'
  const [server, admin] = await Promise.all([
    sign(at, 'server', '/CN=kube-apiserver', names),
    sign(at, 'admin', '/O=system:masters/CN=admin', 'extendedKeyUsage=clientAuth'),
  ])
  const serviceAccounts = at('service-accounts.key')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(serviceAccounts, privateKey.export({ type: 'sec1', format: 'pem' }))
  return { ca: at('ca.pem'), server, admin, serviceAccounts }
}

async function sign(
  at: (name: string) => string,
  name: string,
  subject: string,
  extension: string,
): Promise<Pair> {
  const [cert, key] = [at(`${name}.pem`), at(`${name}.key`)]
  const [request, extensions] = [at(`${name}.request`), at(`${name}.extensions`)]
  await writeFile(extensions, `${extension}\n`)
  await run('openssl', ['req', ...fresh, '-keyout', key, '-out', request, '-subj', subject])
  const authority = [
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-set_serial',
    serial(),
    '-days',
    '2',
  ]
  const asked = ['-in', request, '-out', cert, '-extfile', extensions]
  await run('openssl', ['x509', '-req', ...authority, ...asked])
  return { cert, key }
}

function serial(): string {
  return String(1 + Math.floor(Math.random() * 2 ** 40))
}

export type User = Pair | { readonly token: string }

/** A kubeconfig as text: YAML takes JSON. Everything is in it, so that it may be moved anywhere. */
export async function kubeconfig(server: string, ca: string, user: User): Promise<string> {
  const authority = await base64(ca)
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: 'test', user: await userEntry(user) }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  })
}

async function userEntry(user: User): Promise<object> {
  if ('token' in user) return user
  return {
    'client-certificate-data': await base64(user.cert),
    'client-key-data': await base64(user.key),
  }
}

async function base64(file: string): Promise<string> {
  return await readFile(file, 'base64')
}
