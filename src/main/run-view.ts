import type { StorageRun } from '../client/storage-runs.ts'
import { formatSize } from '../image/size.ts'
import { complain, print, type Output } from './command.ts'
import { plain } from './plain.ts'
import { ProgressBar } from './progress-bar.ts'

/** Shows a run while it goes on, on standard error, each phase at once; and what it came to. */
export class RunView implements Disposable {
  readonly #kind: StorageRun['kind']
  readonly #bar: ProgressBar
  #phase: unknown = null

  constructor({ kind }: Pick<StorageRun, 'kind'>, bar = new ProgressBar()) {
    this.#kind = kind
    this.#bar = bar
  }

  show(run: StorageRun): void {
    const isNew = run.progress['phase'] !== this.#phase
    this.#phase = run.progress['phase']
    const text = `${this.#kind}: ${told(run)}`
    if (isNew) this.#bar.mark(shareOf(run), text)
    else this.#bar.show(shareOf(run), text)
  }

  [Symbol.dispose](): void {
    this.#bar[Symbol.dispose]()
  }

  /** @returns the exit code: 1 when it did not come to its end, or has found damage or what it could not read */
  tell(run: StorageRun, output: Output): number {
    this[Symbol.dispose]()
    if (output === 'json') print(`${JSON.stringify(run)}\n`)
    else print(tableOf(run))
    if (run.state !== 'done')
      complain(`${this.#kind} ${run.state}${run.message && `: ${run.message}`}`)
    return run.state === 'done' && !hasDamage(run) ? 0 : 1
  }
}

/** What of the whole is done, from 0 to 1; null when that is not known. A scrub counts bytes. */
function shareOf({ progress }: StorageRun): number | null {
  const done = Number(progress['bytes'] ?? progress['looked']) + Number(progress['reading'] ?? 0)
  const total = Number(progress['bytesInAll'] ?? progress['total'])
  return total > 0 && done >= 0 ? Math.min(1, done / total) : null
}

function told({ progress }: StorageRun): string {
  const facts = Object.entries(progress).filter(([, value]) => value !== '' && value !== 0)
  const words = facts.map(([name, value]) => `${wordsOf(name)} ${inShort(name, value)}`)
  return plain(words.join(', '))
}

function tableOf({ state, progress }: StorageRun): string {
  const rows = Object.entries({ state, ...progress }).map(([name, value]): [string, string] => [
    wordsOf(name),
    shown(name, value),
  ])
  const column = Math.max(...rows.map(([name]) => name.length)) + 2
  return rows.map(([name, value]) => `${name.padEnd(column)}${value}\n`).join('')
}

/** `freedBytes` is `freed`: its value says what it is. */
function wordsOf(name: string): string {
  const words = name.replace(/(?<=.)Bytes$/, '').replaceAll(/[A-Z]/g, (letter) => ` ${letter}`)
  return words.toLowerCase()
}

function shown(name: string, value: unknown): string {
  return isBytes(name) ? `${inShort(name, value)} (${String(value)} bytes)` : String(value)
}

function inShort(name: string, value: unknown): string {
  return isBytes(name) ? formatSize(Number(value)) : String(value)
}

function isBytes(name: string): boolean {
  return /bytes(?:InAll)?$|^reading$/i.test(name)
}

function hasDamage({ kind, progress }: StorageRun): boolean {
  const { damaged = 0, unread = 0 } = progress
  return kind === 'scrub' && Number(damaged) + Number(unread) > 0
}
