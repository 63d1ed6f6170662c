import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { corpus } from '../fixtures/corpus/corpus.ts'
import type { Member } from '../fixtures/corpus/member.ts'
import { makeable, Workbench } from '../support/corpus.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { expectNothing, stagedIn } from '../support/leftovers.ts'
import { readiness, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const names = new Set([
  'qcow2-uncompressed.qcow2',
  'qcow2-compressed-zstd.qcow2',
  'qcow2-late-bitmap.qcow2',
  'vmdk-stream-footer.vmdk',
  'vmdk-sparse-data.vmdk',
  'vdi-dynamic-data.vdi',
  'vhd-fixed.vhd',
  'vhd-dynamic-data.vhd',
  'vhdx-dynamic-data.vhdx',
  'iso-debian.iso',
  'udf-2048.iso',
  'raw-gpt-root-arm64.img',
])
const members = makeable(corpus.filter(({ name }) => names.has(name)))
const wrapped = makeable(
  corpus.filter(({ name }) => /^wrapped-(?:qcow2\.xz|raw\.pzstd\.zst|raw\.bz2)$/.test(name)),
)

let neighbour: Neighbour
let service: Service
let bench: Workbench<Member>
const resources = new AsyncDisposableStack()
beforeAll(async () => {
  neighbour = resources.use(await startNeighbour())
  service = resources.use(await startService())
  bench = resources.use(await Workbench.of([...members, ...wrapped]))
})
afterAll(() => resources.disposeAsync())

/** Without a length, so that only the file itself can tell that something is missing. */
function serve(bytes: Buffer): string {
  return neighbour.serve('/file', { bytes, framing: 'until close' })
}

describe('an image in the service', () => {
  test.each(members)('($name) gets Ready, and is given back byte for byte', async (member) => {
    const bytes = await readFile(await bench.pathOf(member))
    const url = await service.rest.createUpload('given')
    expect((await send(url, bytes)).status).toBe(201)
    const { status } = await service.rest.image('given')
    const { format, details = {}, architecture } = member.expected
    expect(status).toMatchObject({ format, details, cdrom: format === 'iso' })
    if (architecture) expect(status.architecture).toBe(architecture)
    expect('allocatedBytes' in status).toBe(format !== 'raw' && format !== 'iso')
    const disk = await fetch(`${service.rest.url('/given')}/disk`)
    expect(Buffer.from(await disk.arrayBuffer()).equals(bytes)).toBe(true)
    await service.rest.delete('given')
    await expectNothing(service.folder)
  })

  test.each(wrapped)('($name) gets Ready as what is inside', async (member) => {
    await service.rest.createFrom('inside', serve(await readFile(await bench.pathOf(member))))
    const { status } = await service.rest.ready('inside')
    expect(status.format).toBe(member.expected.format)
    await service.rest.delete('inside')
    await expectNothing(service.folder)
  })
})

/** More than what stands at the end of these and is nothing of their disk; in UDF that is a long row of free blocks, in VHDX the rest of a block. */
function lostOf({ name }: Member): number {
  if (name.startsWith('wrapped-')) return 100
  if (name.startsWith('vhdx-')) return 7_000_000
  return name.startsWith('udf-') ? 400_000 : 70_000
}

/** Of a raw disk nothing tells where it ends, and a fixed VHD without its footer is one. */
const bounded = members.filter(({ name }) => !/^raw-|^vhd-fixed/.test(name))

describe('an image whose end never came', () => {
  test.each([...bounded, ...wrapped])('($name) is not Ready', async (member) => {
    const bytes = await readFile(await bench.pathOf(member))
    const whole = bytes.length - lostOf(member)
    await service.rest.createFrom('cut', serve(bytes.subarray(0, whole)))
    const image = await service.rest.reaches('cut', 'Failed')
    expect(readiness(image).message).toMatch(/cut|ends? /)
    expect(await stagedIn(service.folder)).toEqual([])
    await service.rest.delete('cut')
    await expectNothing(service.folder)
  })
})
