import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { vi } from 'vitest'
import { freePort } from '../bench/peers/server.ts'
import type { Home } from './clients.ts'
import { within } from './deadline.ts'

/** From the command to the first answer, and from the signal to the end, in milliseconds. */
const startsWithin = 30_000
const endsWithin = 10_000

type Daemon = {
  readonly program: string
  readonly args: readonly string[]
  readonly home: Home
  readonly isReady: () => Promise<boolean>
}

/** A server that is stopped when its scope ends. */
export async function startDaemon({
  program,
  args,
  home,
  isReady,
}: Daemon): Promise<AsyncDisposable> {
  const child = spawn(program, args, { env: environment(home), cwd: home.path, stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('close', resolve).once('error', resolve))
  const daemon = {
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await within(endsWithin, `the end of ${program}`, ended).finally(() => child.kill('SIGKILL'))
    },
  }
  try {
    await within(startsWithin, `the start of ${program}`, once(child, 'spawn'))
    await within(startsWithin, `the first answer of ${program}`, untilReady(program, isReady))
    return daemon
  } catch (error) {
    await daemon[Symbol.asyncDispose]()
    throw error
  }
}

/** Not that of clients: docker-registry takes every variable that begins with REGISTRY_ for a setting. */
function environment({ path, env }: Home): NodeJS.ProcessEnv {
  return { PATH: env['PATH'], HOME: path, TMPDIR: env['TMPDIR'], OTEL_TRACES_EXPORTER: 'none' }
}

async function untilReady(program: string, isReady: () => Promise<boolean>): Promise<void> {
  const look = async () => {
    if (!(await isReady())) throw new Error(`${program} does not answer`)
  }
  await vi.waitFor(look, { timeout: startsWithin, interval: 50 })
}

export type Peer = AsyncDisposable & { readonly base: string }

export type PeerOptions = {
  /** Debian's unless said otherwise; a newer one is `tool('registry')`. */
  readonly program?: string
  /** `host:port`, of one that was stopped and has its images still; a free one unless said otherwise. */
  readonly addr?: string
  /** A file of `htpasswd -B`: nobody else does anything. */
  readonly htpasswd?: string
  /** Files of a certificate for 127.0.0.1. */
  readonly tls?: { readonly certificate: string; readonly key: string }
  /** Whom it tells what happens. */
  readonly notifies?: string
}

/** Another registry: CNCF distribution. */
export async function startPeer(home: Home, options: PeerOptions = {}): Promise<Peer> {
  const { program = 'docker-registry', tls } = options
  const addr = options.addr ?? `127.0.0.1:${await freePort()}`
  const config = home.at(`peer-${addr}.yml`)
  await writeFile(config, JSON.stringify(peerConfig(home.at(`peer-${addr}`), addr, options)))
  const base = `${tls ? 'https' : 'http'}://${addr}`
  const args = ['serve', config]
  const daemon = await startDaemon({ program, args, home, isReady: () => answers(`${base}/v2/`) })
  return { base, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() }
}

const impatient = { timeout: '5s', threshold: 3, backoff: '1s' }

/** YAML takes JSON. */
function peerConfig(rootdirectory: string, addr: string, options: PeerOptions): object {
  const { htpasswd, tls, notifies } = options
  return {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory }, delete: { enabled: true } },
    http: { addr, ...(tls && { tls }) },
    ...(notifies !== undefined && {
      notifications: {
        events: { includereferences: true },
        endpoints: [{ name: 'receiver', url: notifies, ...impatient }],
      },
    }),
    ...(htpasswd !== undefined && { auth: { htpasswd: { realm: 'peer', path: htpasswd } } }),
  }
}

/** Whether there is any answer, from whomever, so that a refusal counts, too. */
export async function answers(url: string): Promise<boolean> {
  const get = url.startsWith('https:') ? https.get : http.get
  const asked = get(url, { rejectUnauthorized: false, agent: false, timeout: 5000 })
  const [answer]: readonly unknown[] = await once(asked, 'response').catch(() => [])
  asked.destroy()
  return answer !== undefined
}

/** Other snapshotters look at filesystems of this machine, which is not asked for. */
const notNeeded = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.internal.v1.opt',
  ...['aufs', 'btrfs', 'devmapper', 'overlayfs', 'zfs'].map(
    (name) => `io.containerd.snapshotter.v1.${name}`,
  ),
]

export type Containerd = AsyncDisposable & {
  /** What `ctr` is called with before anything else. */
  readonly address: readonly string[]
}

/** A containerd that no other program of this machine knows. */
export async function startContainerd(home: Home): Promise<Containerd> {
  const folder = home.at('containerd')
  const socket = join(folder, 'sock')
  const config = join(folder, 'config.toml')
  await mkdir(folder)
  await writeFile(config, containerdConfig(folder, socket))
  const address = ['--address', socket]
  const daemon = await startDaemon({
    program: 'containerd',
    args: ['--config', config],
    home,
    isReady: async () => (await home.attempt('ctr', ...address, 'version')).code === 0,
  })
  return { address, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() }
}

/** TOML writes texts and lists of them as JSON does. What one namespace has, another has to fetch for itself. */
function containerdConfig(folder: string, socket: string): string {
  return `version = 2
root = ${JSON.stringify(join(folder, 'root'))}
state = ${JSON.stringify(join(folder, 'state'))}
disabled_plugins = ${JSON.stringify(notNeeded)}
[grpc]
address = ${JSON.stringify(socket)}
[ttrpc]
address = ${JSON.stringify(`${socket}.ttrpc`)}
[debug]
level = "error"
[plugins."io.containerd.metadata.v1.bolt"]
content_sharing_policy = "isolated"
`
}
