import { cutShort, damaged, pieces } from './pieces.ts'
import { clusterSize, type Header } from './qcow2-header.ts'
import type { WholeFile } from './survey.ts'

const wordSize = 2 ** 32

/**
 * Refcount table entry, big-endian, 8 bytes: 0 none, or where a block of reference counts begins; bits 0 to 8 are
 * reserved (qcow2.txt, "Host cluster management"). The counts themselves say nothing about the guest's disk.
 * @throws Flaw INVALID_HEADER
 */
export async function judgeRefcounts(
  file: WholeFile,
  header: Header,
  signal: AbortSignal,
): Promise<void> {
  const cluster = clusterSize(header)
  const length = header.refcountClusters * cluster
  const table = { name: 'refcount table', offset: Number(header.refcountOffset), length }
  for await (const { at, bytes } of pieces(file, table, signal)) {
    for (let entry = 0; entry < bytes.byteLength; entry += 8) {
      const offset = bytes.getUint32(entry) * wordSize + bytes.getUint32(entry + 4)
      if (offset !== 0) judgeBlock(file, cluster, (at + entry) / 8, offset)
    }
  }
}

function judgeBlock(file: WholeFile, cluster: number, index: number, offset: number): void {
  const name = `refcount block ${index}`
  if (offset % cluster !== 0) {
    throw damaged(`the ${name} does not begin at a cluster of the file; the file is damaged`)
  }
  if (offset + cluster > file.size) throw cutShort(name, offset + cluster, file)
}
