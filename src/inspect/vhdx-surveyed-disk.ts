import type { Region } from './inspector.ts'
import { damaged, readAll, readHead } from './pieces.ts'
import type { WholeFile } from './survey.ts'
import { readRegions } from './vhdx-layout.ts'
import { headLength, type Windows } from './windows.ts'

/** How vhdx.ts reads a file from its windows. */
export type Reading = {
  readonly blocksId: string
  readonly ahead: (windows: Windows) => readonly Region[]
  readonly readDisk: (windows: Windows) => Disk | null
}

type Disk = { readonly size: bigint; readonly blockSize: number; readonly sectorSize: number }

export type SurveyedDisk = Omit<Disk, 'size'> & {
  readonly size: number
  readonly tableOffset: number
}

/** What the block table is measured by, read once more from the places that `Inspection` has seen. */
export async function surveyedDisk(
  file: WholeFile,
  { blocksId, ahead, readDisk }: Reading,
  signal: AbortSignal,
): Promise<SurveyedDisk> {
  const windows = await readHead(file, headLength, signal)
  for (const { offset, length } of ahead(windows)) windows.want(offset, length)
  await showWanted(file, windows, signal)
  const disk = readDisk(windows)
  const table = readRegions(windows)?.find(({ id }) => id === blocksId)
  if (!disk || !table) throw damaged('the file does not tell where its blocks are; it is damaged')
  return { ...disk, size: Number(disk.size), tableOffset: Number(table.offset) }
}

async function showWanted(file: WholeFile, windows: Windows, signal: AbortSignal): Promise<void> {
  for (const { offset, length } of windows.wanted()) {
    const from = Math.max(offset, windows.received)
    const rest = {
      name: 'metadata',
      offset: from,
      length: Math.min(offset + length, file.size) - from,
    }
    const { buffer, byteOffset } = await readAll(file, rest, signal)
    windows.skip(from)
    windows.push(new Uint8Array(buffer, byteOffset, rest.length))
  }
}
