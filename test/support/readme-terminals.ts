import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { within } from './deadline.ts'
import { Logs } from './logs.ts'
import { inOwnNetwork } from './namespaces.ts'
import type { Block } from './readme-blocks.ts'

/** How long one block may take, in milliseconds. */
const usually = 60_000
const endsWithin = 10_000
/** What the documents say. */
const port = 8080

/** Jobs are groups of their own, as in a real terminal; the last ones end with it. */
const begin = `set -m
trap 'for job in $(jobs -p); do kill -TERM -- "-$job"; done' EXIT`

type Place = {
  /** What is typed is typed here. */
  readonly cwd: string
  /** For what belongs to the terminals themselves. */
  readonly scratch: string
  readonly env: NodeJS.ProcessEnv
}

/**
 * Two terminals of a reader: in one of them the service runs, in the other one everything else is typed, and what one block
 * sets holds for those that come. Both are in a network of their own where one can be made.
 */
export class Terminals implements AsyncDisposable {
  readonly #shell: ChildProcess
  readonly #input: Writable
  readonly #scratch: string
  readonly #ended: Promise<unknown>
  readonly #exited: Promise<unknown>
  readonly #said = new Logs()
  readonly #service = new Logs()
  #count = 0

  private constructor(shell: ChildProcess, scratch: string) {
    const [input, output, complaints, service] = shell.stdio
    if (!(input instanceof Writable) || !(output instanceof Readable)) throw new Error('no pipes')
    if (!(complaints instanceof Readable) || !(service instanceof Readable)) {
      throw new Error('no pipes')
    }
    this.#shell = shell
    this.#input = input
    this.#scratch = scratch
    this.#ended = once(shell, 'close')
    this.#exited = once(shell, 'exit')
    this.#said.follow(output, complaints)
    this.#service.follow(service, Readable.from([]))
    // A block that fails ends the shell, which reads no more.
    input.on('error', () => undefined)
  }

  /** @throws Error when the port is taken, and there is no network of one's own */
  static async open({ cwd, scratch, env }: Place): Promise<Terminals> {
    const bash = ['bash', '--noprofile', '--norc']
    const own = inOwnNetwork(bash)
    if (!own && (await isTaken())) {
      throw new Error(`something listens on port ${port}, and no network namespace can be made`)
    }
    const [program, args] = own ?? ['bash', bash.slice(1)]
    const shell = spawn(program, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] })
    const terminals = new Terminals(shell, scratch)
    await terminals.type(begin)
    return terminals
  }

  /** @throws Error with what was printed, when a command of the block fails */
  async play({ text, way }: Block): Promise<void> {
    if (way === 'service' || way === 'stopped') await this.stop()
    if (way === 'service') await this.#serve(text)
    else await this.type(text)
  }

  /** Types commands; each has to succeed. */
  async type(commands: string): Promise<void> {
    const file = await this.#file(commands)
    const mark = `done ${randomUUID()}`
    const from = this.#said.lines.length
    this.#input.write(
      `set -eo pipefail; . ${file} </dev/null; set +eo pipefail; echo; echo ${mark}\n`,
    )
    const done = this.#said.line(({ msg }) => msg === mark, from, usually)
    const failed = this.#exited.then(() => {
      throw new Error(`failed:\n${commands}\nprinted:\n${this.#printed()}`)
    })
    await Promise.race([done, failed])
  }

  /** As Ctrl-C does. */
  async stop(): Promise<void> {
    await this.type(
      'if [ -n "$SERVICE" ]; then kill -INT -- "-$SERVICE"; wait "$SERVICE" || true; fi; SERVICE=',
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#input.end()
    const kill = () => this.#shell.kill('SIGKILL')
    await within(endsWithin, 'the end of the terminals', this.#ended).finally(kill)
  }

  async #serve(text: string): Promise<void> {
    const file = await this.#file(text)
    const from = this.#service.lines.length
    await this.type(`. ${file} </dev/null >&3 2>&1 &\nSERVICE=$!`)
    const ready = this.#service.line(({ msg }) => msg === 'slipway is ready', from)
    await ready.catch((cause: unknown) => {
      throw new Error(`the service is not ready:\n${this.#service.toString()}`, { cause })
    })
  }

  async #file(text: string): Promise<string> {
    const file = join(this.#scratch, `block-${(this.#count += 1)}.sh`)
    await writeFile(file, `${text}\n`)
    return file
  }

  #printed(): string {
    return `${this.#said.toString()}\nthe service:\n${this.#service.toString()}`
  }
}

async function isTaken(): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
