import { expect, test } from 'vitest'
import { digestOf } from '../../../src/image/digest.ts'
import { Shares } from '../../../src/work/shares.ts'
import { openCatalog } from '../../support/catalog.ts'

const blob = (text: string, size: number) => ({ digest: digestOf(Buffer.from(text)), size })
const manifestOf = (repository: string) => blob(`manifest of ${repository}`, 1)

/** Repositories, and the texts of the blobs that their one manifest needs. */
async function withRepositories(held: { readonly [repository: string]: readonly string[] }) {
  const opened = await openCatalog()
  await opened.catalog.transaction(async ({ blobs, manifests }) => {
    const texts = [...new Set(Object.values(held).flat()), 'nobody’s']
    for (const text of texts) await blobs.reserve(blob(text, 1000 * text.length), 'a', 1000)
    for (const [repository, texts] of Object.entries(held)) {
      const manifest = manifestOf(repository)
      await blobs.reserve(manifest, 'a', 1000)
      const needs = texts.map((text) => blob(text, 0).digest)
      await manifests.put(repository, { ...manifest, mediaType: 'x' }, needs)
    }
  })
  return { ...opened, shares: new Shares({ catalog: opened.catalog, now: opened.clock.now }) }
}

test('bytes are told once, by all who need them, the largest first', async () => {
  await using opened = await withRepositories({
    'cvi/a': ['disk of a', 'both'],
    'cvi/b': ['both'],
    'team/c': ['its own layer', 'its'],
  })
  expect(await opened.shares.look()).toEqual({
    items: [
      { bytes: 16_001, blobs: 3, repositories: ['team/c'], holders: 1 },
      { bytes: 9001, blobs: 2, repositories: ['cvi/a'], holders: 1 },
      { bytes: 8000, blobs: 1, repositories: [], holders: 0 },
      { bytes: 4000, blobs: 1, repositories: ['cvi/a', 'cvi/b'], holders: 2 },
      { bytes: 1, blobs: 1, repositories: ['cvi/b'], holders: 1 },
    ],
    others: { bytes: 0, blobs: 0 },
  })
})

test('what is beyond the largest is told in sum, and no more names than can be read', async () => {
  const names = Array.from({ length: 1200 }, (_, index) => `r/${String(index).padStart(4, '0')}`)
  await using opened = await withRepositories(
    Object.fromEntries(
      names.map((name) => [name, ['a base that all of them need', `layer of ${name}`]]),
    ),
  )
  const { items, others } = await opened.shares.look()
  const base = items.find(({ holders }) => holders === names.length)
  expect(base).toEqual({
    bytes: 28_000,
    blobs: 1,
    repositories: names.slice(0, 8),
    holders: names.length,
  })
  expect(items).toHaveLength(500)
  // Of each repository a layer and a manifest, of all of them the base, and what nobody needs.
  const blobs = items.reduce((sum, item) => sum + item.blobs, others.blobs)
  expect(blobs).toBe(2 * names.length + 2)
})
