import { expect, test } from 'vitest'
import { Metrics } from '../../src/metrics.ts'

test('metrics of two services in one process are apart', async () => {
  const [one, other] = [new Metrics(), new Metrics()]
  one.freed({ blobs: 2, bytes: 10, failed: 1 })
  expect(await one.text()).toMatch(/^slipway_gc_freed_bytes_total 10$/m)
  expect(await other.text()).toMatch(/^slipway_gc_freed_bytes_total 0$/m)
})

test('levels are read when they are asked for, and phases that have no image any more go', async () => {
  const metrics = new Metrics()
  let images: Record<string, number> = { Pending: 1 }
  metrics.levelsFrom(() =>
    Promise.resolve({ blobBytes: 1, logicalBytes: 2, freeBytes: null, images }),
  )
  expect(await metrics.text()).toMatch(/^slipway_image_phase\{phase="Pending"\} 1$/m)
  images = { Ready: 1 }
  const text = await metrics.text()
  expect(text).toMatch(/^slipway_image_phase\{phase="Ready"\} 1$/m)
  expect(text).not.toContain('Pending')
})

test('a scrape behind another one has numbers, too', async () => {
  const metrics = new Metrics()
  metrics.addProcess('1.2.3')
  await metrics.text()
  expect(await metrics.text()).not.toMatch(/ (?:NaN|undefined)$/im)
})

test('each source has counters before anything has come from it', async () => {
  const text = await new Metrics().text()
  expect(text).toMatch(/^slipway_imports_total\{source="HTTP",outcome="ready"\} 0$/m)
  expect(text).toMatch(/^slipway_imports_running\{source="Upload"\} 0$/m)
})
