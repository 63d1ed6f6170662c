import type { Architecture } from '../image/format.ts'
import { readGpt } from './gpt.ts'
import { gptType } from './gpt-type.ts'
import { mbrTypeName, readMbr } from './mbr.ts'
import type { Windows } from './windows.ts'

export type Partition = {
  readonly type: string
  readonly offset: number
  readonly size: number
  /** Whether firmware starts from it. */
  readonly boots: boolean
  readonly architecture: Architecture | null
}

export type Partitions = {
  readonly table: 'gpt' | 'mbr'
  readonly all: readonly Partition[]
  /** The end of the disk as its table knows it, in bytes. */
  readonly end: number
}

const efiSystem = 0xef

/** The partition table; null when there is none. A GPT stands before the MBR that protects it. */
export function readPartitions(windows: Windows): Partitions | null {
  return fromGpt(windows) ?? fromMbr(windows)
}

export function partitionTable(windows: Windows): Partitions['table'] | null {
  return readPartitions(windows)?.table ?? null
}

/** A disk that ends before its table says was cut short, or was never whole; it may still be what is wanted. */
export function sizeWarning(windows: Windows): { readonly warnings?: readonly string[] } {
  const end = readPartitions(windows)?.end ?? 0
  if (!windows.endsBefore(end)) return {}
  return { warnings: [`the disk was ${end} bytes long when it was partitioned`] }
}

function fromGpt(windows: Windows): Partitions | null {
  const gpt = readGpt(windows)
  if (!gpt) return null
  const all = gpt.partitions.map(({ type, offset, size }) => {
    const { name, boots = false, architecture = null } = gptType(type)
    return { type: name, offset, size, boots, architecture }
  })
  return { table: 'gpt', all, end: gpt.end }
}

function fromMbr(windows: Windows): Partitions | null {
  const entries = readMbr(windows)
  if (!entries) return null
  const all = entries.map(({ active, type, offset, size }) => {
    const boots = active || type === efiSystem
    return { type: mbrTypeName(type), offset, size, boots, architecture: null }
  })
  return { table: 'mbr', all, end: Math.max(...all.map(({ offset, size }) => offset + size)) }
}
