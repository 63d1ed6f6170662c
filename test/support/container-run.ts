import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdir, readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Home } from './clients.ts'
import { nodeAt } from './container-base.ts'
import { within } from './deadline.ts'
import { Logs } from './logs.ts'
import { attempt, type Ended } from './shell.ts'

/** What an image says about how it is run; times in nanoseconds. */
export const imageConfig = z.object({
  User: z.string(),
  Env: z.array(z.string()),
  Entrypoint: z.array(z.string()),
  Cmd: z.array(z.string()),
  WorkingDir: z.string(),
  Volumes: z.record(z.string(), z.object({})),
  Labels: z.record(z.string(), z.string()),
  StopSignal: z.string(),
  Healthcheck: z.object({ Test: z.array(z.string()), Interval: z.number(), Timeout: z.number() }),
})
export type ImageConfig = z.output<typeof imageConfig>

/** In milliseconds. */
const startsWithin = 60_000
const endsWithin = 20_000

/** As `--read-only --tmpfs /tmp -v data:/data` does it, in namespaces of its own. */
const enter = `set -e
mount --bind "$0" "$0"
mount --bind "$1" "$0/data"
mount --bind "$2" "$0$3"
mount -t tmpfs tmpfs "$0/tmp"
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount -o remount,bind,ro "$0"
shift 3
exec setpriv --no-new-privs chroot --userspec="$@"`

/** A container where no runtime for containers works: its own mounts and processes, the network of this machine. */
export class Container implements AsyncDisposable {
  readonly logs = new Logs()
  readonly #outer: ChildProcess
  readonly #env: readonly string[]
  readonly #config: ImageConfig
  readonly #closed: Promise<readonly unknown[]>

  constructor(outer: ChildProcess, config: ImageConfig, env: readonly string[]) {
    this.#outer = outer
    this.#config = config
    this.#env = env
    this.#closed = once(outer, 'close')
    if (outer.stdout && outer.stderr) this.logs.follow(outer.stdout, outer.stderr)
  }

  /** Runs the program of the image's health check in it. */
  async health(): Promise<Ended> {
    const [how, ...program] = this.#config.Healthcheck.Test
    if (how !== 'CMD') throw new Error(`the health check is ${how}`)
    const [user, group] = this.#config.User.split(':')
    const inside = ['-t', await this.#inner(), '-m', '-p', '--root', `-S${user}`, `-G${group}`]
    return await attempt('nsenter', [...inside, 'env', '-i', ...this.#env, ...program])
  }

  /** Its users and capabilities, or its mounts, as the kernel tells them. */
  async told(what: 'status' | 'mountinfo'): Promise<string> {
    return await readFile(`/proc/${await this.#inner()}/${what}`, 'utf8')
  }

  /** By the image's own signal. @returns the exit code */
  async stop(): Promise<unknown> {
    const signal = z.enum(['SIGTERM', 'SIGINT']).parse(this.#config.StopSignal)
    process.kill(Number(await this.#inner()), signal)
    const [code] = await within(endsWithin, 'the end of the container', this.#closed)
    return code
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#outer.kill('SIGKILL')
    await this.#closed
  }

  /** Process 1 of the container, as this machine numbers it. */
  async #inner(): Promise<string> {
    const { pid } = this.#outer
    const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ')
    if (!child) throw new Error(`the container is gone:\n${this.logs.toString()}`)
    return child
  }
}

/**
 * Runs what the image says, as the user whom it says, and resolves when it is ready.
 * @param root of the image's files
 * @param variables beside those of the image, as `-e` gives them
 */
export async function runContainer(
  home: Home,
  root: string,
  config: ImageConfig,
  variables: readonly string[],
): Promise<Container> {
  const data = home.at('container-data')
  await mkdir(data)
  await chown(data, 1000, 1000)
  const env = [...config.Env, ...variables]
  const program = ['env', '-i', `--chdir=${config.WorkingDir}`, ...env]
  const args = [config.User, root, ...program, ...config.Entrypoint, ...config.Cmd]
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--', 'sh', '-c', enter]
  const outer = spawn('unshare', [...namespaces, root, data, process.execPath, nodeAt, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const container = new Container(outer, config, env)
  await within(
    startsWithin,
    'the start',
    container.logs.line(({ msg }) => msg === 'slipway is ready'),
  )
  return container
}
