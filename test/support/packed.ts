import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { temporaryFolder } from './temporary.ts'

/**
 * Starts the compiled program named by the first argument, takes an upload through it, and stops it: exit code 0 when all
 * of that works.
 */
const ready = z.object({ listen: z.string() })
const created = z.object({
  status: z.object({ imageUploadURLs: z.object({ external: z.string() }) }),
})

async function firstLine(stdout: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stdout })) return line
  throw new Error('the program said nothing')
}

async function takeOne(base: string): Promise<void> {
  const answer = await fetch(`${base}/api/v1/images`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'packed', dataSource: { type: 'Upload' } }),
  })
  const { status } = created.parse(await answer.json())
  const disk = Buffer.alloc(1024 * 1024)
  disk.writeUInt16LE(0xaa55, 510)
  const sent = await fetch(status.imageUploadURLs.external, { method: 'PUT', body: disk })
  if (sent.status !== 201) throw new Error(`the upload ended with ${sent.status}`)
}

await using folder = await temporaryFolder()
const program = spawn(process.execPath, [process.argv[2] ?? '', 'serve'], {
  env: { SLIPWAY_LISTEN: '127.0.0.1:0', SLIPWAY_DATA_DIR: folder.path },
  stdio: ['ignore', 'pipe', 'inherit'],
})
const exited = once(program, 'exit')
const { listen } = ready.parse(JSON.parse(await firstLine(program.stdout)))
await takeOne(`http://${listen}`)
program.kill('SIGTERM')
const [code] = await exited
if (code !== 0) throw new Error(`the program ended with ${code}`)
console.log('the package took an upload and stopped')
