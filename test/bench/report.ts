import { formatSize } from '../../src/image/size.ts'
import type { Unit } from './bench.ts'
import type { Machine } from './machine.ts'
import type { Round } from './rounds.ts'
import type { Column, Spread, Verdict } from './statistics.ts'
import type { Findings } from './study.ts'

export type Report = {
  readonly machine: Machine
  readonly size: number
  readonly measurements: readonly Measured[]
  readonly studies: readonly Studied[]
}

export type Studied = Findings & {
  readonly name: string
  readonly title: string
  readonly leftOut: readonly string[]
}

export type Measured = {
  readonly name: string
  readonly title: string
  readonly unit: Unit
  /** What was left out, and what to install for it. */
  readonly leftOut: readonly string[]
  readonly rounds: readonly Round[]
  readonly columns: readonly Column[]
  readonly targets: readonly Verdict[]
}

/** The report for people. */
export function describeReport({ machine, size, measurements, studies }: Report): string {
  const { cores, cpu, memory, kernel, node, load } = machine
  const head = [
    `${cores} cores (${cpu}), ${formatSize(memory)} memory, ${kernel}, node ${node}`,
    `load before: ${load.toFixed(2)}; file: ${formatSize(size)}`,
  ]
  return [...head, ...measurements.flatMap(describe), ...studies.flatMap(tell)].join('\n')
}

function describe({ name, title, unit, leftOut, columns, targets }: Measured): readonly string[] {
  return [
    '',
    `${name}: ${title}`,
    ...table([headings[unit], ...columns.map(cells[unit])]),
    ...leftOut.map((line) => `  left out: ${line}`),
    ...targets.map(verdict),
  ]
}

function tell({ name, title, headings: heads, rows, notes, leftOut }: Studied): readonly string[] {
  return [
    '',
    `${name}: ${title}`,
    ...(rows.length > 0 ? table([heads, ...rows.map((row) => row.map(String))]) : []),
    ...leftOut.map((line) => `  left out: ${line}`),
    ...notes.map((line) => `  ${line}`),
  ]
}

const compared = ['slipway is', 'min to max']
const headings = {
  bytes: ['', 'MiB/s', 'min to max', ...compared, 'CPU s/GiB', 'peak memory'],
  requests: [
    '',
    'requests/s',
    'min to max',
    ...compared,
    'p50 µs',
    'p99 µs',
    'CPU µs',
    'peak memory',
  ],
} as const

const cells = {
  bytes: (column: Column) => [
    ...speedCells(column, inMebibytes),
    column.cpu === null ? '' : (column.cpu * 1024 ** 3).toFixed(2),
    memoryCell(column),
  ],
  requests: (column: Column) => [
    ...speedCells(column, (value) => value.toFixed(0)),
    inMicroseconds(column.latency?.p50),
    inMicroseconds(column.latency?.p99),
    inMicroseconds(column.cpu),
    memoryCell(column),
  ],
} as const

const inMebibytes = (bytes: number) => (bytes / 1024 ** 2).toFixed(0)
const inMicroseconds = (seconds: number | null | undefined) =>
  typeof seconds === 'number' ? (seconds * 1e6).toFixed(0) : ''

function speedCells({ contender, speed, ratio }: Column, show: (value: number) => string) {
  const times = ratio ? spreadCells(ratio, (value) => `${value.toFixed(2)}x`) : ['', '']
  return [contender, ...spreadCells(speed, show), ...times]
}

function memoryCell({ peakMemory }: Column): string {
  return peakMemory === null ? '' : formatSize(peakMemory)
}

function spreadCells({ median, min, max }: Spread, show: (value: number) => string) {
  return [show(median), `${show(min)} to ${show(max)}`]
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  )
  return rows.map((row) => {
    const padded = row.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    )
    return `  ${padded.join('  ')}`.trimEnd()
  })
}

function verdict({ beside, atLeast, ratio, met }: Verdict): string {
  const others = beside.length > 1 ? `the best of ${beside.join(', ')}` : beside.join('')
  const target = `  target: at least ${atLeast} times ${others}`
  if (ratio === null) return `${target}: not measured`
  return `${target}: ${ratio.toFixed(2)}, ${met ? 'met' : 'MISSED'}`
}
