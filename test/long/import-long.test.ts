import { expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { forever, startNeighbour } from '../support/http-neighbour.ts'
import { startService } from '../support/service.ts'

const size = 320 * mebibyte
const at = 300 * mebibyte

test('a source is asked for the rest of a large file once what is here has been read again', async () => {
  const bytes = disk(size)
  await using neighbour = await startNeighbour()
  await using service = await startService()
  const url = neighbour.serve('/image', (nth) => ({
    bytes,
    etag: '"1"',
    ranges: 'honest',
    ...(nth === 1 ? { pause: { at, until: forever } } : {}),
  }))
  await service.rest.createFrom('long', url)
  await service.rest.until('long', ({ status }) => status.receivedBytes === String(at), 60_000)
  await service.stop()
  await service.start()
  const { status } = await service.rest.ready('long', 60_000)
  expect(status.source?.sha256).toBe(digestOf(bytes).slice('sha256:'.length))
  const [, look, rest] = neighbour.requests
  expect(rest?.headers.range).toBe(look?.headers.range)
  expect(rest?.headers['if-range']).toBe('"1"')
  const sent = neighbour.requests.reduce((sum, seen) => sum + seen.sent, 0)
  expect(sent).toBeLessThan(size * 1.05)
}, 180_000)
