import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { attempt, type Ended } from '../shell.ts'
import { temporaryFolder } from '../temporary.ts'
import { readAudit, type Request } from './audit.ts'
import { binary } from './binaries.ts'
import { ControlPlane } from './control-plane.ts'
import { kubeconfig, type Credentials } from './credentials.ts'

const crds = fileURLToPath(new URL('../../../deploy/crds', import.meta.url))

/** The slowest call deletes two thousand resources, one after the other, in milliseconds. */
const limit = 300_000

export type Kubectl = {
  /** Its standard input, for `-f -`. */
  readonly input?: string
  /** Of another than the admin. */
  readonly kubeconfig?: string
  readonly env?: NodeJS.ProcessEnv
}

/** A cluster of this test file alone, which goes with its scope. Use `needsCluster` first. */
export async function startCluster(): Promise<Cluster> {
  await using undo = new AsyncDisposableStack()
  const folder = undo.use(await temporaryFolder())
  const plane = undo.use(await ControlPlane.start(folder.path))
  const cluster = new Cluster(folder.path, plane, undo.move())
  await cluster.writeAdmin()
  return cluster
}

export class Cluster implements AsyncDisposable {
  /** Goes with the cluster. */
  readonly folder: string
  /** Path of the admin's. */
  readonly kubeconfig: string
  readonly #plane: ControlPlane
  readonly #held: AsyncDisposableStack
  #kubeconfigs = 0

  constructor(folder: string, plane: ControlPlane, held: AsyncDisposableStack) {
    this.folder = folder
    this.kubeconfig = join(folder, 'admin.kubeconfig')
    this.#plane = plane
    this.#held = held
  }

  /** `https://127.0.0.1:port`, the same for as long as the cluster lives. */
  get server(): string {
    return this.#plane.server
  }

  /** Path of the authority's certificate. */
  get ca(): string {
    return this.#plane.credentials.ca
  }

  /** Files of its authority, its server and its admin. */
  get credentials(): Credentials {
    return this.#plane.credentials
  }

  get apiServerPid(): number {
    return this.#plane.apiServerPid
  }

  async writeAdmin(): Promise<void> {
    await mkdir(join(this.folder, 'home'))
    const { admin } = this.#plane.credentials
    await writeFile(this.kubeconfig, await kubeconfig(this.server, this.ca, admin), { mode: 0o600 })
  }

  /** Runs kubectl as the admin; it has to succeed. @returns what it printed */
  async kubectl(...args: readonly string[]): Promise<string> {
    return succeeded(args, await this.attemptKubectl(args))
  }

  /** As `kubectl apply -f -` with this manifest, or several between lines of `---`. */
  async apply(manifest: string, ...args: readonly string[]): Promise<string> {
    const all = ['apply', ...args, '-f', '-']
    return succeeded(all, await this.attemptKubectl(all, { input: manifest }))
  }

  /** Runs kubectl to its end, however it ends. */
  async attemptKubectl(args: readonly string[], options: Kubectl = {}): Promise<Ended> {
    const { input, kubeconfig = this.kubeconfig, env = {} } = options
    return await attempt(binary('kubectl'), args, {
      env: {
        PATH: process.env['PATH'],
        HOME: join(this.folder, 'home'),
        KUBECONFIG: kubeconfig,
        ...env,
      },
      limit,
      ...(input === undefined ? {} : { input }),
    })
  }

  /** An object as the API server has it, parsed and not checked. @param args as for `kubectl get` */
  async read(...args: readonly string[]): Promise<unknown> {
    return JSON.parse(await this.kubectl('get', ...args, '-o', 'json'))
  }

  /** A token of a service account that exists, by TokenRequest. */
  async serviceAccountToken(
    namespace: string,
    name: string,
    audiences: readonly string[] = [],
  ): Promise<string> {
    const wanted = audiences.map((audience) => `--audience=${audience}`)
    return (await this.kubectl('create', 'token', name, '-n', namespace, ...wanted)).trim()
  }

  /**
   * @param server the API server's own address unless said otherwise
   * @returns the path of a kubeconfig with this token
   */
  async kubeconfigFor(token: string, server = this.server): Promise<string> {
    this.#kubeconfigs += 1
    const path = join(this.folder, `user-${this.#kubeconfigs}.kubeconfig`)
    await writeFile(path, await kubeconfig(server, this.ca, { token }), { mode: 0o600 })
    return path
  }

  /** Our own CRDs; resolves when they can be used. */
  async applyCrds(): Promise<void> {
    if (!existsSync(crds)) throw new Error(`there is no ${crds}`)
    await this.kubectl('apply', '--server-side', '-f', crds)
    await this.kubectl('wait', '--for=condition=Established', '--timeout=30s', '-f', crds)
  }

  /** SIGTERM lets it answer what it has taken, as an upgrade does; SIGKILL is a power cut. */
  async stopApiServer(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    await this.#plane.stopApiServer(signal)
  }

  /** On the same port, with the same data. */
  async startApiServer(): Promise<void> {
    await this.#plane.startApiServer()
  }

  /** Every request that the API server was ever asked, in order, its own among them. */
  async audit(): Promise<readonly Request[]> {
    return await readAudit(this.#plane.auditFile)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }
}

function succeeded(args: readonly string[], { code, stdout, stderr }: Ended): string {
  if (code === 0) return stdout
  throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr || stdout}`)
}
