import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { temporaryFolder } from './temporary.ts'

/**
 * Starts the compiled program named by the first argument, takes uploads through it, plain and in wrappings whose decoders
 * have threads of their own, and stops it: exit code 0 when all of that works.
 */
const ready = z.object({ listen: z.string() })
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

const packedBy = (program: string) => execFileSync(program, ['-c'], { input: disk() })

await using folder = await temporaryFolder()
const program = spawn(process.execPath, [process.argv[2] ?? '', 'serve'], {
  env: { SLIPWAY_LISTEN: '127.0.0.1:0', SLIPWAY_DATA_DIR: folder.path },
  stdio: ['ignore', 'pipe', 'inherit'],
})
const exited = once(program, 'exit')
const { listen } = ready.parse(JSON.parse(await firstLine(program.stdout)))
const base = `http://${listen}`
await takeOne(base, 'plain', disk())
for (const name of ['xz', 'bzip2', 'zstd']) await takeOne(base, name, packedBy(name))
program.kill('SIGTERM')
const [code] = await exited
if (code !== 0) throw new Error(`the program ended with ${code}`)
console.log('the package took uploads and stopped')
