import type { Page } from 'playwright-core'
import { disk, mebibyte } from './disks.ts'
import { drop } from './dropped.ts'
import { startNeighbour } from './http-neighbour.ts'
import { startRelay, type Relay } from './relay.ts'
import { send } from './rest.ts'
import { startService } from './service.ts'

/** One thing that the page shows, and how somebody gets there. */
export type Exhibit = {
  readonly name: string
  /** Below the service: behind the page's `#`, as a rule. */
  readonly place: string
  /** What is done there; it is there when this resolves. */
  readonly look: (page: Page) => Promise<unknown>
  /** What has to be undone when it has been seen. */
  readonly leave?: () => void
}

export type Gallery = { readonly base: string; readonly exhibits: readonly Exhibit[] }

const longName = `a-disk-with-a-name-that-goes-on-and-on-${'and-on-'.repeat(12)}to-its-end`
const size = 8 * mebibyte

/**
 * A service with an image of each kind, and everything that its page shows of them.
 * @param held what has to end with the tests
 * @param folder for files of these tests
 */
export async function openGallery(held: AsyncDisposableStack, file: string): Promise<Gallery> {
  const service = held.use(await startService())
  const source = held.use(await startNeighbour())
  const relay = held.use(await startRelay(() => service.base))
  const { rest } = service
  for (const name of ['debian', longName]) {
    await send(await rest.createUpload(name), new Uint8Array(disk(size)))
    await rest.ready(name)
  }
  await rest.createUpload('waits')
  const text = source.serve('/page.html', {
    bytes: Buffer.from('<!doctype html><title>No</title>'),
  })
  await rest.createFrom('broken', text)
  await rest.reaches('broken', 'Failed')
  // Longer on its way than anybody looks.
  const slow = source.serve('/slow.img', { bytes: disk(size), rate: size / 600 })
  await rest.createFrom('coming', slow)
  await rest.reaches('coming', 'Provisioning')
  const good = source.serve('/good.img', { bytes: disk(size), ranges: 'honest' })
  return { base: relay.base, exhibits: exhibits({ good, text, file }, relay) }
}

type Places = { readonly good: string; readonly text: string; readonly file: string }

function exhibits({ good, text, file }: Places, relay: Relay): readonly Exhibit[] {
  const at = (name: string, place: string, seen: string): Exhibit => ({
    name,
    place,
    look: async (page) => await page.getByText(seen).first().waitFor(),
  })
  const create = (name: string, tab: string, more: (page: Page) => Promise<unknown>): Exhibit => ({
    name,
    place: '#/images',
    async look(page) {
      await page.getByRole('button', { name: 'Add an image' }).click()
      await page.getByRole('tab', { name: tab }).click()
      await more(page)
    },
  })
  const probed = (url: string, seen: RegExp) => async (page: Page) => {
    await page.getByRole('textbox', { name: 'URL' }).fill(url)
    await page.getByRole('button', { name: 'Look at it' }).click()
    await page.getByRole('dialog').getByText(seen).first().waitFor()
  }
  let uploads = 0
  /** Half of a file, which stays so. */
  const sent = async (page: Page): Promise<string> => {
    const held = relay.holdAt(relay.sent + size / 2)
    uploads += 1
    await drop(page, { path: file, name: `Some Disk ${uploads}.img` })
    await held
    const name = `some-disk-${uploads}`
    await page.getByLabel('Uploads of this page').getByText(name).first().waitFor()
    return name
  }
  return [
    at('images', '#/images', 'debian'),
    at('image-ready', '#/images/debian', 'skopeo copy'),
    at('image-long', `#/images/${longName}`, 'skopeo copy'),
    at('image-failed', '#/images/broken', 'Try again'),
    at('image-waiting', '#/images/waits', 'Waits for upload'),
    at('image-coming', '#/images/coming', 'Coming in'),
    at('image-none', '#/images/nothing-like-it', 'There is no image'),
    at('storage', '#/storage', 'are stored'),
    at('repositories', '#/repositories', 'cvi/debian'),
    at('repository', '#/repositories/cvi/debian', 'latest'),
    at('docs', 'docs', 'SLIPWAY_TOKEN'),
    create('create-url', 'From a URL', (page) =>
      page.getByRole('textbox', { name: 'URL' }).waitFor(),
    ),
    create('create-taken', 'From a URL', probed(good, /would be taken/i)),
    create('create-refused', 'From a URL', probed(text, /cannot be imported/i)),
    create('create-registry', 'From a registry', (page) =>
      page.getByRole('textbox', { name: 'Container image' }).waitFor(),
    ),
    create('create-fields', 'From a URL', async (page) => {
      await page.getByRole('textbox', { name: 'Name' }).fill('Not A Name')
      await page.getByText(/^More/).click()
      await page.getByLabel('What the source asks for').selectOption('A token (Bearer)')
      await page.getByRole('button', { name: 'Look at it' }).click()
      await page.getByText('Paste the token.').waitFor()
    }),
    create('create-file', 'From this computer', (page) =>
      page.getByLabel('Files to send').waitFor(),
    ),
    {
      name: 'delete',
      place: '#/images/debian',
      async look(page) {
        await page.getByRole('button', { name: /^Delete/ }).click()
        await page.getByRole('dialog').waitFor()
      },
    },
    {
      name: 'copied',
      place: '#/images/debian',
      async look(page) {
        await page.getByRole('button', { name: /^Copy/ }).first().click()
        await page.getByRole('button', { name: 'Dismiss' }).waitFor()
      },
    },
    {
      name: 'upload',
      place: '#/storage',
      look: async (page) => void (await sent(page)),
      leave: () => relay.cut(),
    },
    {
      name: 'upload-stop',
      place: '#/images',
      async look(page) {
        await page.getByRole('button', { name: `Stop ${await sent(page)}` }).click()
        await page.getByRole('dialog').waitFor()
      },
      leave: () => relay.cut(),
    },
  ]
}
