import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { needsBrowser, openBrowser, picture, type Visit } from '../support/browser.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { imageManifest, indexManifest, type Part } from '../support/push-content.ts'
import { RegistryClient, expectStatus } from '../support/registry-client.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const empty = Buffer.from('{}')
const created = '2026-01-02T03:04:05Z'

describe.skipIf(!needsBrowser())('repositories', () => {
  const held = new AsyncDisposableStack()
  let service: Service
  let visit: Visit
  let client: RegistryClient
  let image: Part

  beforeAll(async () => {
    service = held.use(await startService())
    visit = held.use(await openBrowser())
    client = new RegistryClient(() => service.base)
    await send(await service.rest.createUpload('ubuntu'), disk(mebibyte))
    image = await pushImage('team/app', 'amd64', 'v1')
    await put('team/app', indexOf([image, await pushImage('team/app', 'arm64', 'arm')]), 'latest')
    const signature = await pushArtifact(image, 'application/vnd.cncf.notary.signature')
    await pushArtifact(image, 'application/spdx+json')
    await pushArtifact(signature, 'application/vnd.in-toto+json')
    for (let index = 0; index < 120; index += 1) {
      await put('team/many', await manifestFor('team/many', 'amd64'), `tag-${1000 + index}`)
    }
  })
  afterAll(() => held.disposeAsync())

  type Document = ReturnType<typeof imageManifest>

  async function put(repository: string, document: Document, reference: string): Promise<Part> {
    await expectStatus(await client.putManifest(repository, { ...document, reference }), 201)
    return { digest: digestOf(document.bytes), size: document.bytes.length }
  }

  async function part(repository: string, bytes: Buffer<ArrayBuffer>): Promise<Part> {
    return { digest: await client.push(repository, bytes), size: bytes.length }
  }

  async function manifestFor(repository: string, architecture: string): Promise<Document> {
    const config = Buffer.from(JSON.stringify({ os: 'linux', architecture, created }))
    const layer = await part(repository, disk(mebibyte, architecture.length))
    return imageManifest(await part(repository, config), [layer])
  }

  async function pushImage(repository: string, architecture: string, tag: string): Promise<Part> {
    return await put(repository, await manifestFor(repository, architecture), tag)
  }

  function indexOf([one, other]: readonly [Part, Part]): Document {
    const platforms = [
      { ...one, platform: { os: 'linux', architecture: 'amd64' } },
      { ...other, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
    ]
    return indexManifest(platforms)
  }

  async function pushArtifact(subject: Part, artifactType: string): Promise<Part> {
    const config = await part('team/app', empty)
    const document = imageManifest(config, [config], {
      artifactType,
      subject: { ...subject, mediaType: 'application/vnd.oci.image.manifest.v1+json' },
      annotations: { 'org.opencontainers.image.created': created, 'example.com/by': 'the build' },
    })
    return await put('team/app', document, digestOf(document.bytes))
  }

  /** Of somebody who means no good. */
  async function pushStrange(tag: string, config: string): Promise<void> {
    const layer = await part('team/strange', disk(mebibyte))
    await put(
      'team/strange',
      imageManifest(await part('team/strange', Buffer.from(config)), [layer]),
      tag,
    )
  }

  async function at(repository: string): Promise<Page> {
    const page = await visit.page(`${service.base}/#/repositories/${repository}`)
    await page.getByRole('heading', { name: repository }).waitFor()
    return page
  }

  function tag(page: Page, name: string) {
    const heading = page.getByRole('heading', { name, exact: true })
    return page.getByRole('list', { name: 'Tags' }).getByRole('listitem').filter({ has: heading })
  }

  test('are listed and searched', async () => {
    const page = await visit.page(`${service.base}/#/repositories`)
    await page.getByText('3 repositories').waitFor()
    await picture(page, 'repositories-01-list')
    await page.getByRole('searchbox').fill('team app')
    await page.getByText('1 of 3 repositories').waitFor()
    await page.getByRole('link', { name: 'team/app' }).click()
    await page.getByRole('heading', { name: 'team/app' }).waitFor()
  })

  test('show what each tag leads to, and what refers to that', async () => {
    const page = await at('team/app')
    await tag(page, 'v1')
      .getByText(/^Image · linux\/amd64 · 1\.0 MiB · made /)
      .waitFor()
    await tag(page, 'latest').getByText('linux/amd64, linux/arm64/v8').waitFor()
    await tag(page, 'latest').getByText('2 manifests in this index').click()
    const [first] = await tag(page, 'v1').locator('code').allInnerTexts()
    expect(first).toBe(image.digest)
    await tag(page, 'v1').getByText('2 referrers').click()
    await tag(page, 'v1').getByText('Signature', { exact: true }).waitFor()
    await tag(page, 'v1').getByText('List of its parts (SBOM)').waitFor()
    await picture(page, 'repositories-02-referrers')
    // Each gives way to what was found, which has such buttons of its own.
    const more = tag(page, 'v1').getByText('What refers to this?')
    const names = await Promise.all(
      (await more.all()).map((each) => each.getAttribute('aria-label')),
    )
    for (const name of names) await page.getByLabel(name ?? '', { exact: true }).click()
    await tag(page, 'v1').getByText('1 referrer', { exact: true }).click()
    await tag(page, 'v1').getByText('Attestation').waitFor()
    await page.emulateMedia({ colorScheme: 'dark' })
    await picture(page, 'repositories-03-tree-dark')
    await page.setViewportSize({ width: 360, height: 800 })
    await picture(page, 'repositories-03-tree-narrow')
  })

  test('of many tags come in pages', async () => {
    const page = await at('team/many')
    const tags = page.getByRole('list', { name: 'Tags' }).getByRole('heading')
    await expect.poll(() => tags.count()).toBe(100)
    await page.getByRole('button', { name: 'More tags' }).click()
    await expect.poll(() => tags.count()).toBe(120)
    expect(await page.getByRole('button', { name: 'More tags' }).count()).toBe(0)
  })

  test('of an image lead to it, and offer nothing to change', async () => {
    const page = await at('cvi/ubuntu')
    await tag(page, 'latest')
      .getByText(/^Image/)
      .waitFor()
    expect(await page.getByRole('button', { name: /Delete|Remove/ }).count()).toBe(0)
    await page.getByRole('link', { name: 'ubuntu', exact: true }).click()
    await page.getByRole('heading', { name: 'ubuntu' }).waitFor()
  })

  test('show their own, though an answer of another one comes late', async () => {
    const page = await at('team/app')
    await tag(page, 'v1')
      .getByText(/^Image/)
      .waitFor()
    const late = Promise.withResolvers<void>()
    await page.route('**/v2/team/many/tags/list*', async (route) => {
      await late.promise
      // The page has given it up, and then there is nobody to answer.
      await route.continue().catch(() => {})
    })
    const asked = page.waitForRequest('**/v2/team/many/tags/list*')
    await page.evaluate('location.hash = "#/repositories/team/many"')
    await asked
    await page.evaluate('location.hash = "#/repositories/team/app"')
    await tag(page, 'v1')
      .getByText(/^Image/)
      .waitFor()
    late.resolve()
    await tag(page, 'latest').getByText('linux/amd64, linux/arm64').waitFor()
    expect(await page.getByText('tag-1000').count()).toBe(0)
  })

  test('lose a tag, and what a tag leads to, after they were asked', async () => {
    const page = await at('team/app')
    await page.getByRole('button', { name: 'Remove the tag arm' }).click()
    await page.getByRole('dialog').getByText('can still be pulled by its digest').waitFor()
    await picture(page, 'repositories-04-untag')
    await page.getByRole('button', { name: 'Remove', exact: true }).click()
    await tag(page, 'arm').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Delete what latest leads to' }).click()
    await page.getByRole('button', { name: 'Cancel' }).click()
    expect(await client.tags('team/app')).toEqual(['latest', 'v1'])
    await page.getByRole('button', { name: 'Delete what latest leads to' }).click()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await tag(page, 'latest').waitFor({ state: 'detached' })
    expect(await client.tags('team/app')).toEqual(['v1'])
  })

  test('that are not there are told of', async () => {
    visit.expects(/^Failed to load resource: the server responded with a status of 404 /)
    const page = await at('team/nowhere')
    await page.getByRole('alert').getByText('there is no repository').waitFor()
    await picture(page, 'repositories-05-none')
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await page.goto(`${service.base}/#/repositories/x/../../api/v1/images`)
    await page.getByRole('alert').getByText('no repository has such a name').waitFor()
    expect(asked.filter((url) => url.includes('/v2/') || url.includes('tags/list'))).toEqual([])
  })

  test('that a stranger filled break nothing', async () => {
    await pushStrange('junk', 'this is no JSON')
    await pushStrange('nothing', 'null')
    await pushStrange(
      'objects',
      '{"os":{"toString":1},"created":{"_$litType$":1},"architecture":7}',
    )
    const platform = { os: { toString: 1 }, architecture: '<b>' }
    const image = await manifestFor('team/strange', 'amd64')
    const child = await put('team/strange', image, 'child')
    const children = [{ ...child, platform }]
    await put('team/strange', indexManifest(children), 'platforms')
    const page = await at('team/strange')
    const tag = (name: string) =>
      page.getByRole('listitem').filter({ has: page.getByRole('heading', { name }) })
    for (const name of ['junk', 'nothing', 'objects'])
      await tag(name).getByText('1.0 MiB').waitFor()
    await tag('platforms').getByText('<b>').first().waitFor()
  })
})
