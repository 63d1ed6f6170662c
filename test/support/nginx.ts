import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { vi } from 'vitest'
import { freePort } from '../bench/peers/server.ts'
import { within } from './deadline.ts'
import { needs } from './programs.ts'
import { temporaryFolder } from './temporary.ts'

export const needsNginx = () => needs('nginx', 'apt-get install nginx-light')

/** Milliseconds to the first answer, and from the signal to the end. */
const startsWithin = 20_000
const endsWithin = 20_000

export type NginxOptions = {
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Directives of the server, such as `limit_rate 1m;`. */
  readonly directives?: string
  /** Directives beside the server, such as an `upstream`. */
  readonly beside?: string
}

/** A line of its access log, with the bytes of its body that were sent. */
export type Access = {
  readonly status: number
  readonly sent: number
  /** The header, as it was; `-` without one. */
  readonly range: string
}

/** An nginx of this test alone, as its user, on a folder of files. */
export async function startNginx(options: NginxOptions = {}): Promise<Nginx> {
  const folder = await temporaryFolder()
  const server = new Nginx(folder.path, await freePort(), options.tls ?? null)
  try {
    await mkdir(join(folder.path, 'www'))
    for (const [name, text] of Object.entries(options.tls ?? {})) {
      await writeFile(join(folder.path, `${name}.pem`), text, { mode: 0o600 })
    }
    await server.start(options.directives, options.beside)
    return server
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw error
  }
}

export class Nginx implements AsyncDisposable {
  readonly #folder: string
  readonly #port: number
  readonly #tls: NginxOptions['tls'] | null
  #process: ChildProcess | null = null
  #complaint = ''

  constructor(folder: string, port: number, tls: NginxOptions['tls'] | null) {
    this.#folder = folder
    this.#port = port
    this.#tls = tls
  }

  get port(): number {
    return this.#port
  }

  url(file: string, host = '127.0.0.1'): string {
    return `${this.#tls ? 'https' : 'http'}://${host}:${this.#port}/${file}`
  }

  /** Writes a file that is served from now on. */
  async put(file: string, bytes: Uint8Array): Promise<string> {
    await writeFile(this.at(file), bytes)
    return this.url(file)
  }

  /** Where a served file lies. */
  at(file: string): string {
    return join(this.#folder, 'www', file)
  }

  /** Writes a file for `auth_basic_user_file`, with one user in it. */
  async users(user: string, password: string): Promise<string> {
    const hash = createHash('sha1').update(password).digest('base64')
    const file = join(this.#folder, 'users')
    await writeFile(file, `${user}:{SHA}${hash}\n`)
    return file
  }

  /** Resolves when it answers. */
  async start(directives = '', beside = ''): Promise<void> {
    const config = join(this.#folder, 'nginx.conf')
    await writeFile(config, this.#configuration(directives, beside))
    const args = ['-p', this.#folder, '-c', config, '-e', join(this.#folder, 'error.log')]
    const child = spawn('nginx', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.on('error', () => undefined)
    child.stderr?.on('data', (text: Buffer) => {
      this.#complaint = `${this.#complaint}${text.toString()}`.slice(-4096)
    })
    this.#process = child
    await within(startsWithin, 'the start of nginx', this.#answering())
  }

  /** Ends it in the middle of whatever it does; what it had sent is in its log. */
  async stop(): Promise<void> {
    const child = this.#process
    this.#process = null
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGQUIT')
    await within(endsWithin, 'the end of nginx', ended).finally(() => child.kill('SIGKILL'))
  }

  async accesses(): Promise<readonly Access[]> {
    const lines = (await readFile(join(this.#folder, 'access.log'), 'utf8')).split('\n')
    return lines.filter(Boolean).map((line) => {
      const [status, sent, range = '-'] = line.split(' ')
      return { status: Number(status), sent: Number(sent), range }
    })
  }

  /** Bytes of all bodies, once no request is on its way any more. */
  async moved(): Promise<number> {
    return (await this.accesses()).reduce((sum, { sent }) => sum + sent, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #answering(): Promise<void> {
    await vi.waitFor(
      async () => {
        if (this.#process?.exitCode !== null) throw new Error(`nginx ended: ${this.#complaint}`)
        await readFile(join(this.#folder, 'pid'))
      },
      { timeout: startsWithin, interval: 20 },
    )
  }

  /** Its workers are those of the user who runs the test, whose folder it is. */
  #configuration(directives: string, beside: string): string {
    const at = (name: string) => join(this.#folder, name)
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    const tls = this.#tls
      ? `ssl_certificate ${at('cert.pem')}; ssl_certificate_key ${at('key.pem')};`
      : ''
    return `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
worker_shutdown_timeout 100ms;
pid ${at('pid')};
error_log ${at('error.log')};
events {}
http {
  log_format moved '$status $body_bytes_sent $http_range';
  access_log ${at('access.log')} moved;
  ${temporary.map((name) => `${name}_temp_path ${at(name)};`).join('\n  ')}
  ${beside}
  server {
    listen 127.0.0.1:${this.#port}${this.#tls ? ' ssl' : ''};
    ${tls}
    root ${at('www')};
    ${directives}
  }
}
`
  }
}
