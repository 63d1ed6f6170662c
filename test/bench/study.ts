import type { Bench } from './bench.ts'
import type { Program } from './programs.ts'

/** Something that is no matter of bytes a second: a table of its own. */
export type Study = {
  readonly name: string
  readonly title: string
  /** Without these nothing can be told. */
  readonly needs: readonly Program[]
  readonly run: (bench: Omit<Bench, 'file'>) => Promise<Findings>
}

export type Findings = {
  readonly headings: readonly string[]
  /** The first cell of a row is its title. */
  readonly rows: readonly (readonly (string | number)[])[]
  readonly notes: readonly string[]
}
