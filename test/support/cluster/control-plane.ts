import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { freePort } from '../../bench/peers/server.ts'
import { auditPolicy } from './audit.ts'
import { binary } from './binaries.ts'
import { Child } from './child.ts'
import { issueCredentials, type Credentials } from './credentials.ts'

/** One answer of a server that starts is waited for so long, in milliseconds. */
const patience = 5_000

/** etcd and an API server on loopback: what a cluster keeps and answers, without nodes and without controllers. */
export class ControlPlane implements AsyncDisposable {
  readonly server: string
  readonly credentials: Credentials
  readonly auditFile: string
  readonly #folder: string
  readonly #port: number
  readonly #etcd: string
  readonly #agent: Agent
  readonly #children = new AsyncDisposableStack()
  #apiServer: Child | null = null

  private constructor(folder: string, credentials: Credentials, agent: Agent, ports: Ports) {
    this.#folder = folder
    this.#port = ports.server
    this.#etcd = `http://127.0.0.1:${ports.etcd}`
    this.#agent = agent
    this.credentials = credentials
    this.server = `https://127.0.0.1:${ports.server}`
    this.auditFile = join(folder, 'audit.log')
  }

  /** Resolves when the API server answers. */
  static async start(folder: string): Promise<ControlPlane> {
    const ports = { server: await stablePort(), etcd: await freePort() }
    const credentials = await issueCredentials(folder)
    const agent = await adminAgent(credentials)
    const plane = new ControlPlane(folder, credentials, agent, ports)
    try {
      await plane.#startEtcd()
      await plane.startApiServer()
      return plane
    } catch (error) {
      await plane[Symbol.asyncDispose]()
      throw error
    }
  }

  get apiServerPid(): number {
    if (!this.#apiServer?.isRunning) throw new Error('the API server is not running')
    return this.#apiServer.pid
  }

  /** On the same port, with the same data. */
  async startApiServer(): Promise<void> {
    if (this.#apiServer?.isRunning) throw new Error('the API server is running')
    await writeFile(join(this.#folder, 'audit-policy.json'), auditPolicy)
    const args = this.#apiServerArgs()
    const child = this.#children.use(new Child({ program: binary('kube-apiserver'), args }))
    this.#apiServer = child
    await child.ready(() => this.#answers(`${this.server}/readyz`))
  }

  /** SIGTERM lets it answer what it has taken, as an upgrade does; SIGKILL is a power cut. */
  async stopApiServer(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    await this.#apiServer?.end(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#children.disposeAsync()
    await this.#agent.destroy()
  }

  async #startEtcd(): Promise<void> {
    const peers = ['--listen-peer-urls', 'http://127.0.0.1:0']
    const clients = ['--listen-client-urls', this.#etcd, '--advertise-client-urls', this.#etcd]
    const data = ['--data-dir', join(this.#folder, 'etcd'), '--unsafe-no-fsync']
    const args = [...peers, ...clients, ...data, '--log-level', 'error']
    const child = this.#children.use(new Child({ program: binary('etcd'), args }))
    await child.ready(() => this.#answers(`${this.#etcd}/readyz`))
  }

  /** No addresses of services are handed out, and no endpoints are kept: nothing here has a network. */
  #apiServerArgs(): readonly string[] {
    const { ca, server, serviceAccounts } = this.credentials
    const settings = {
      'etcd-servers': this.#etcd,
      'bind-address': '127.0.0.1',
      'advertise-address': '127.0.0.1',
      'secure-port': String(this.#port),
      'endpoint-reconciler-type': 'none',
      'service-cluster-ip-range': '10.96.0.0/16',
      'cert-dir': this.#folder,
      'tls-cert-file': server.cert,
      'tls-private-key-file': server.key,
      'client-ca-file': ca,
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': serviceAccounts,
      'service-account-signing-key-file': serviceAccounts,
      'authorization-mode': 'RBAC',
      'audit-policy-file': join(this.#folder, 'audit-policy.json'),
      'audit-log-path': this.auditFile,
      'audit-log-maxsize': '4096',
    }
    return Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
  }

  async #answers(url: string): Promise<boolean> {
    const signal = AbortSignal.timeout(patience)
    const answer = await request(url, { dispatcher: this.#agent, signal }).catch(() => null)
    await answer?.body.dump()
    return answer?.statusCode === 200
  }
}

type Ports = { readonly server: number; readonly etcd: number }

async function adminAgent({ ca, admin }: Credentials): Promise<Agent> {
  const [authority, cert, key] = await Promise.all(
    [ca, admin.cert, admin.key].map((file) => readFile(file, 'utf8')),
  )
  return new Agent({ connect: { ca: authority ?? '', cert: cert ?? '', key: key ?? '' } })
}

/**
 * A free port below those that the system gives to clients: while the API server is away, none of its clients, which try
 * to connect all the time, can be given its port.
 */
async function stablePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(20_000, 32_000)
    if (await isFree(port)) return port
  }
  throw new Error('127.0.0.1 has no free port')
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const isListening = once(server.listen(port, '127.0.0.1'), 'listening').then(
    () => true,
    () => false,
  )
  if (!(await isListening)) return false
  server.close()
  await once(server, 'close')
  return true
}
