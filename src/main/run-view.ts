import type { StorageRun } from '../client/storage-runs.ts'
import { formatSize } from '../image/size.ts'
import { complain, print, type Output } from './command.ts'

const width = 24
/** Where nobody sees a bar move, every so many looks are told beside each new phase. */
const seldom = 30

/** Shows a run while it goes on, on standard error: a bar on a terminal, lines elsewhere; and what it came to. */
export class RunView {
  readonly #kind: StorageRun['kind']
  readonly #isTerminal = process.stderr.isTTY
  #phase: unknown = null
  #looks = 0
  #drawn = false

  constructor({ kind }: Pick<StorageRun, 'kind'>) {
    this.#kind = kind
  }

  show(run: StorageRun): void {
    if (this.#isTerminal) return this.#draw(run)
    const isNew = run.progress['phase'] !== this.#phase
    this.#phase = run.progress['phase']
    this.#looks += 1
    if (isNew || this.#looks % seldom === 0) complain(`${this.#kind}: ${told(run)}`)
  }

  /** The line of the bar is over. */
  end(): void {
    if (this.#drawn) process.stderr.write('\n')
    this.#drawn = false
  }

  /** @returns the exit code: 1 when it did not come to its end, or has found damage or what it could not read */
  tell(run: StorageRun, output: Output): number {
    this.end()
    if (output === 'json') print(`${JSON.stringify(run)}\n`)
    else print(tableOf(run))
    if (run.state !== 'done')
      complain(`${this.#kind} ${run.state}${run.message && `: ${run.message}`}`)
    return run.state === 'done' && !hasDamage(run) ? 0 : 1
  }

  #draw(run: StorageRun): void {
    const share = shareOf(run)
    const bar = share === null ? '' : `[${'#'.repeat(Math.round(share * width)).padEnd(width)}] `
    process.stderr.write(`\r\u001B[K${this.#kind}: ${bar}${told(run)}`)
    this.#drawn = true
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
  return facts.map(([name, value]) => `${wordsOf(name)} ${shown(name, value)}`).join(', ')
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
  if (!/bytes(?:InAll)?$|^reading$/i.test(name)) return String(value)
  return `${formatSize(Number(value))} (${String(value)} bytes)`
}

function hasDamage({ kind, progress }: StorageRun): boolean {
  const { damaged = 0, unread = 0 } = progress
  return kind === 'scrub' && Number(damaged) + Number(unread) > 0
}
