import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { temporaryFolder } from './temporary.ts'

/**
 * Starts the compiled program named by the first argument, takes uploads through it, plain and in wrappings whose decoders
 * have threads of their own, pulls one, lists them, loads its page, and stops it. Then the same with its companion, whose
 * cluster is away, and a look at the definitions and the presets that go along: exit code 0 when all of that works.
 */
const ready = z.object({ listen: z.string() })
const begun = z.object({ health: z.string() })
const manifest = z.object({ layers: z.array(z.object({ digest: z.string() })).min(1) })
const created = z.object({
  status: z.object({ imageUploadURLs: z.object({ external: z.string() }) }),
})

async function firstLine(stdout: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stdout })) return line
  throw new Error('the program said nothing')
}

async function takeOne(base: string, name: string, bytes: Buffer): Promise<void> {
  const answer = await fetch(`${base}/api/v1/images`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, dataSource: { type: 'Upload' } }),
  })
  const { status } = created.parse(await answer.json())
  const body = new Uint8Array(bytes)
  const sent = await fetch(status.imageUploadURLs.external, { method: 'PUT', body })
  if (sent.status !== 201) throw new Error(`the upload ${name} ended with ${sent.status}`)
}

function disk(): Buffer {
  const bytes = Buffer.alloc(1024 * 1024)
  bytes.writeUInt16LE(0xaa55, 510)
  return bytes
}

/** As OCI clients do: the tag, and of what it leads to the layer, whole. */
async function pull(base: string, name: string): Promise<void> {
  const at = `${base}/v2/cvi/${name}`
  const { layers } = manifest.parse(JSON.parse(await loaded(`${at}/manifests/latest`)))
  for (const { digest } of layers) {
    const answer = await fetch(`${at}/blobs/${digest}`)
    const sha256 = createHash('sha256').update(new Uint8Array(await answer.arrayBuffer()))
    if (`sha256:${sha256.digest('hex')}` !== digest) throw new Error(`${digest} is other bytes`)
  }
}

/** The page, and all that it names: its own modules, and those of packages. */
async function visit(base: string): Promise<void> {
  const text = await loaded(`${base}/`)
  const assets = [...text.matchAll(/(?:href|src)="(assets\/[^"]+)"/g)].map(([, path = '']) => path)
  for (const part of ['/page/main.js', '/page/style.css', '/lit-html/lit-html.js']) {
    if (!assets.some((path) => path.endsWith(part))) throw new Error(`the page lacks ${part}`)
  }
  for (const path of assets) await loaded(`${base}/${path}`)
}

async function loaded(url: string): Promise<string> {
  const answer = await fetch(url)
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
  return await answer.text()
}

const packedBy = (program: string) => execFileSync(program, ['-c'], { input: disk() })

function run(command: string, env: NodeJS.ProcessEnv) {
  const program = spawn(process.execPath, [main, command], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => program.kill('SIGKILL'))
  return program
}

async function ended(program: ReturnType<typeof run>): Promise<void> {
  const exited = once(program, 'exit')
  program.kill('SIGTERM')
  const [code] = await exited
  if (code !== 0) throw new Error(`${program.spawnargs.join(' ')} ended with ${code}`)
}

/** A configuration for a cluster that does not answer. */
function away(): string {
  const named = { name: 'away' }
  return JSON.stringify({
    clusters: [{ ...named, cluster: { server: 'http://127.0.0.1:1' } }],
    users: [{ ...named, user: {} }],
    contexts: [{ ...named, context: { cluster: 'away', user: 'away' } }],
    'current-context': 'away',
  })
}

const main = process.argv[2] ?? ''
await using folder = await temporaryFolder()
const service = run('serve', { SLIPWAY_LISTEN: '127.0.0.1:0', SLIPWAY_DATA_DIR: folder.path })
const { listen } = ready.parse(JSON.parse(await firstLine(service.stdout)))
const base = `http://${listen}`
await takeOne(base, 'plain', disk())
for (const name of ['xz', 'bzip2', 'zstd']) await takeOne(base, name, packedBy(name))
await pull(base, 'plain')
const asked = { encoding: 'utf8', env: { SLIPWAY_URL: base } } as const
const names = execFileSync(process.execPath, [main, 'images', 'ls', '-o', 'name'], asked)
if (names !== 'bzip2\nplain\nxz\nzstd\n') throw new Error(`slipway images ls says ${names}`)
await visit(base)

const KUBECONFIG = join(folder.path, 'kubeconfig')
await writeFile(KUBECONFIG, away())
const SLIPWAY_CONTROLLER_LISTEN = '127.0.0.1:0'
const companion = run('controller', { KUBECONFIG, SLIPWAY_CONTROLLER_LISTEN, SLIPWAY_URL: base })
const { health } = begun.parse(JSON.parse(await firstLine(companion.stdout)))
const { status } = await fetch(`http://${health}/healthz`)
if (status !== 200) throw new Error(`the companion's health is ${status}`)
await ended(companion)
await ended(service)

const printed = execFileSync(process.execPath, [main, 'crds'], { encoding: 'utf8' })
const kept = join(main, '../../../deploy/crds')
const texts = (await readdir(kept)).sort().map((name) => readFile(join(kept, name), 'utf8'))
if (printed !== (await Promise.all(texts)).join('')) throw new Error(`${kept} are others`)
const presets = await import(join(main, '../sync/presets.js'))
if ((await presets.readPresets()).length !== 3) throw new Error('the presets are missing')
console.log('the package took uploads, showed its page, looked after a cluster, and stopped')
