import { join } from 'node:path'
import type { Page } from 'playwright-core'
import type { Bench, Contender, Measurement } from '../bench.ts'
import { assertDigest } from '../client.ts'
import { openPage, sendByPage } from '../peers/browser.ts'
import { startSlipway, type Slipway } from '../peers/slipway.ts'
import { chromium, curl } from '../programs.ts'
import { uploadsTo } from './upload.ts'

/** From the moment a file is chosen on the page to its word that all of it is there. */
export const webUpload: Measurement = {
  name: 'web-upload',
  title: 'a browser sends random data from the page, beside curl to the same service',
  unit: 'bytes',
  needs: [curl, chromium],
  targets: [],
  async open(bench, resources) {
    const slipway = await startSlipway(join(bench.folder, 'data'), bench, resources)
    const page = await openPage(slipway.base, bench, resources)
    const byCurl = { ...uploadsTo(slipway, bench), name: 'curl' }
    return { bytes: bench.file.size, contenders: [byPage(page, slipway, bench), byCurl] }
  },
}

function byPage(page: Page, slipway: Slipway, bench: Bench): Contender {
  const { file } = bench
  const name = 'by-page'
  return {
    name: 'page',
    pid: slipway.pid,
    begin: async () => {
      await slipway.create(name)
      await page.goto(`${slipway.base}/#/images/${name}`)
      await page.getByLabel('Choose the file').waitFor()
      return {
        run: () => sendByPage(page, file.path),
        end: async () => {
          await page.getByRole('button', { name: `Hide ${name}` }).click()
          await assertDigest(slipway.disk(name), file.sha256, bench)
          await slipway.remove(name)
        },
      }
    },
  }
}
