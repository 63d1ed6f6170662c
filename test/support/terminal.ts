import { join } from 'node:path'
import { expect } from 'vitest'
import { run } from './shell.ts'
import { program } from './program.ts'

/** What a shell in the terminal knows: `slipway`, where its service is, and a folder that goes with the test. */
export type Typed = { readonly base: string; readonly cwd: string }

/** A terminal with a shell in it, as a person has one (tmux). */
export class Terminal implements AsyncDisposable {
  readonly #socket: string

  private constructor(socket: string) {
    this.#socket = socket
  }

  static async open({ base, cwd }: Typed): Promise<Terminal> {
    const terminal = new Terminal(join(cwd, '.tmux'))
    const shell = `env -i PATH="$PATH" PS1='$ ' TERM=screen SLIPWAY_URL=${base} sh -i`
    await terminal.#tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-x',
      '100',
      '-y',
      '30',
      '-c',
      cwd,
      shell,
    )
    await terminal.type(`slipway() { '${process.execPath}' '${program}' "$@"; }`)
    await terminal.type('clear; echo "here"')
    await terminal.shows(/^here$/m)
    return terminal
  }

  /** A line, and Enter. */
  async type(line: string): Promise<void> {
    await this.#tmux('send-keys', '-l', line)
    await this.press('Enter')
  }

  async press(key: string): Promise<void> {
    await this.#tmux('send-keys', key)
  }

  async resize(columns: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', '30')
  }

  /** What stands there and has stood above it, without the empty lines at its end. */
  async screen(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p', '-S', '-')).trimEnd()
  }

  /** What stands there alone. */
  async pane(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p')).trimEnd()
  }

  /** Resolves with what stands there once it is so. */
  async shows(what: RegExp): Promise<string> {
    await expect.poll(() => this.screen(), { timeout: 30_000 }).toMatch(what)
    return await this.screen()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tmux('kill-server')
  }

  async #tmux(...args: readonly string[]): Promise<string> {
    return await run('tmux', ['-S', this.#socket, ...args])
  }
}
