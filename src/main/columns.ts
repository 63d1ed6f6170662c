import { cut, plain } from './plain.ts'

type Row = readonly string[]

const gap = 2
/** Characters of the first column that stay on a narrow terminal. */
const least = 12

/**
 * A table whose rows come bit by bit. A column is as wide as its widest cell so far, and the first one gives way where a
 * terminal is too narrow.
 */
export class Columns {
  readonly #heads: Row
  readonly #widths: number[]
  /** Characters of a line; null where they may be as long as they like. */
  readonly #screen: number | null

  constructor(heads: Row, screen: number | null) {
    this.#heads = heads
    this.#widths = heads.map((head) => head.length)
    this.#screen = screen
  }

  head(): string {
    return this.#line(this.#heads)
  }

  /** Room for rows that are not shown yet. */
  measure(rows: readonly Row[]): void {
    for (const row of rows) {
      for (const [index, cell] of row.entries()) {
        this.#widths[index] = Math.max(this.#widths[index] ?? 0, cell.length)
      }
    }
  }

  /** A line for each, with its line break. */
  lines(rows: readonly Row[]): string {
    this.measure(rows)
    return rows.map((row) => this.#line(row)).join('')
  }

  #line(row: Row): string {
    const cells = row.map((cell, index) => this.#cell(plain(cell), index))
    const line = cells.join(' '.repeat(gap)).trimEnd()
    return `${this.#screen === null ? line : cut(line, this.#screen)}\n`
  }

  #cell(text: string, index: number): string {
    const width = this.#widthOf(index)
    return (this.#screen === null ? text : cut(text, width)).padEnd(width)
  }

  #widthOf(index: number): number {
    const width = this.#widths[index] ?? 0
    if (index > 0 || this.#screen === null) return width
    const others = this.#widths.slice(1).reduce((sum, each) => sum + gap + each, 0)
    return Math.min(width, Math.max(least, this.#screen - others))
  }
}

/** Characters of a line of standard output; null where it is no terminal. */
export function screenWidth(): number | null {
  return process.stdout.isTTY ? terminalSize().columns : null
}

/** Lines and characters of the terminal; one that does not tell counts as the usual one. */
export function terminalSize(): { readonly rows: number; readonly columns: number } {
  const { rows, columns } = process.stdout
  return { rows: rows || 24, columns: columns || 80 }
}
