import { describe, expect, test } from 'vitest'
import { digestOf, type Digest } from '../../../src/image/digest.ts'
import { openCatalog } from '../../support/catalog.ts'

const subject = digestOf(Buffer.from('the subject'))
const mediaType = 'application/vnd.oci.image.manifest.v1+json'

type Given = {
  readonly artifactType?: string
  readonly annotations?: { readonly [name: string]: string }
}

async function withReferrers(count: number, given: (index: number) => Given = () => ({})) {
  const opened = await openCatalog()
  const { catalog } = opened
  const digests = Array.from({ length: count }, (_, index) => digestOf(Buffer.from(`${index}`)))
  await catalog.transaction(async ({ manifests }) => {
    for (const [index, digest] of digests.entries()) {
      const { artifactType = 'x/y', annotations = null } = given(index)
      const reference = { subject, artifactType, annotations }
      await manifests.put('a', { digest, mediaType, size: index }, [], reference)
    }
  })
  const list = (query: Partial<Parameters<typeof catalog.read.referrers.list>[0]> = {}) =>
    catalog.read.referrers.list({
      repository: 'a',
      subject,
      artifactType: null,
      after: '',
      limit: 100,
      mostBytes: 1000,
      ...query,
    })
  return { ...opened, list, digests: digests.toSorted() }
}

const digestsOf = (items: readonly { readonly digest: Digest }[]) =>
  items.map(({ digest }) => digest)

describe('referrers', () => {
  test('are listed by digest, with what their descriptors show', async () => {
    const annotations = { of: 'it' }
    await using opened = await withReferrers(1, () => ({ annotations }))
    const { items, isMore } = await opened.list()
    expect(isMore).toBe(false)
    expect(items).toEqual([
      { digest: opened.digests[0], mediaType, size: 0, artifactType: 'x/y', annotations },
    ])
  })

  test('are of one repository and of one subject', async () => {
    await using opened = await withReferrers(3)
    expect((await opened.list({ repository: 'b' })).items).toEqual([])
    expect((await opened.list({ subject: digestOf(Buffer.from('2')) })).items).toEqual([])
    expect(digestsOf((await opened.list()).items)).toEqual(opened.digests)
  })

  test('are filtered by their type', async () => {
    await using opened = await withReferrers(10, (index) => ({
      artifactType: index % 2 ? 'odd/one' : 'even/one',
    }))
    const { items } = await opened.list({ artifactType: 'odd/one' })
    expect(items).toHaveLength(5)
    expect(new Set(items.map(({ artifactType }) => artifactType))).toEqual(new Set(['odd/one']))
    expect((await opened.list({ artifactType: 'none/such' })).items).toEqual([])
  })

  test.each([1, 2, 3, 10, 11])(
    'come in pages of %i, none twice and none left out',
    async (limit) => {
      await using opened = await withReferrers(10)
      const found: Digest[] = []
      for (let isMore = true; isMore;) {
        const page = await opened.list({ limit, after: found.at(-1) ?? '' })
        expect(page.items.length).toBeLessThanOrEqual(limit)
        found.push(...digestsOf(page.items))
        isMore = page.isMore
      }
      expect(found).toEqual(opened.digests)
    },
  )

  test('come in pages that hold no more annotations than fit, but always one', async () => {
    await using opened = await withReferrers(6, (index) => ({
      annotations: { text: 'x'.repeat(index === 3 ? 5000 : 400) },
    }))
    const sizes: number[] = []
    const found: Digest[] = []
    for (let isMore = true; isMore;) {
      const page = await opened.list({ after: found.at(-1) ?? '' })
      const bytes = page.items.map(({ annotations }) => JSON.stringify(annotations).length)
      if (bytes.length > 1) expect(Math.max(...bytes)).toBeLessThan(1000)
      sizes.push(page.items.length)
      found.push(...digestsOf(page.items))
      isMore = page.isMore
    }
    expect(found).toEqual(opened.digests)
    expect(Math.max(...sizes)).toBe(2)
  })

  test('that go are not listed any more', async () => {
    await using opened = await withReferrers(3)
    const [first, ...others] = opened.digests
    await opened.catalog.transaction(({ manifests }) =>
      manifests.remove('a', first ?? digestOf(Buffer.from(''))),
    )
    expect(digestsOf((await opened.list()).items)).toEqual(others)
  })
})
