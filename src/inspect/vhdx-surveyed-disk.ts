import { damaged, readAll, readHead } from './pieces.ts'
import type { WholeFile } from './survey.ts'
import { readItems, readRegions } from './vhdx-layout.ts'
import { aheadLength, Windows } from './windows.ts'

/** The GUIDs that vhdx.ts knows them by. */
export type Ids = {
  readonly blocks: string
  readonly metadata: string
  readonly parameters: string
  readonly diskSize: string
  readonly logicalSector: string
}

export type SurveyedDisk = {
  readonly size: number
  readonly blockSize: number
  readonly sectorSize: number
  readonly tableOffset: number
}

/** What the table of blocks is measured by. The metadata may lie anywhere in the file, so they are read from there. */
export async function surveyedDisk(
  file: WholeFile,
  ids: Ids,
  signal: AbortSignal,
): Promise<SurveyedDisk> {
  const regions = readRegions(await readHead(file, signal)) ?? []
  const region = (id: string) => Number(found(regions.find((each) => each.id === id)).offset)
  const metadata = await metadataAt(file, region(ids.metadata), signal)
  const items = readItems(metadata, 0) ?? []
  const item = (id: string) => Number(found(items.find((each) => each.id === id)).offset)
  return {
    size: Number(metadata.u64le(item(ids.diskSize))),
    blockSize: metadata.u32le(item(ids.parameters)),
    sectorSize: metadata.u32le(item(ids.logicalSector)),
    tableOffset: region(ids.blocks),
  }
}

/** The part of the region that `Inspection` has seen, too. */
async function metadataAt(file: WholeFile, offset: number, signal: AbortSignal): Promise<Windows> {
  const length = Math.min(aheadLength, file.size - offset)
  const { buffer, byteOffset } = await readAll(file, { name: 'metadata', offset, length }, signal)
  const windows = new Windows(length)
  windows.push(new Uint8Array(buffer, byteOffset, length))
  return windows
}

function found<Thing>(thing: Thing | undefined): Thing {
  if (thing !== undefined) return thing
  throw damaged('the file does not tell where its blocks are; it is damaged')
}
