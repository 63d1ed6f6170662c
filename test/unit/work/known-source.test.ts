import { describe, expect, test } from 'vitest'
import type { Image, NewImage } from '../../../src/catalog/images.ts'
import type { HttpSection } from '../../../src/image/data-source.ts'
import { digestOf } from '../../../src/image/digest.ts'
import type { Stored } from '../../../src/image/stored.ts'
import { knownBytes } from '../../../src/work/known-bytes.ts'
import { validatorsOf } from '../../../src/work/known-source.ts'
import { newImage, openCatalog, storedOf, TestClock } from '../../support/catalog.ts'

const url = 'https://example.com/a.img'
const etag = '"1"'
const caBundle = Buffer.from('-----BEGIN CERTIFICATE-----').toString('base64')
const clock = new TestClock()
const date = (before: number) => new Date(clock.time - before).toUTCString()
const day = 86_400_000
const sha256 = digestOf(Buffer.from('disk')).slice('sha256:'.length)

type Given = { readonly http?: Partial<HttpSection>; readonly secrets?: boolean }

const asked = (name: string, { http, secrets = false }: Given): NewImage =>
  newImage(name, {
    dataSource: { type: 'HTTP', http: { url, ...http } },
    secrets: secrets ? Buffer.from('sealed') : null,
    urlKey: 'key',
  })

/** One image that is Ready and one that is wanted, both from the same URL. */
async function both(before: Given & { readonly source?: Partial<Stored['source']> }, now: Given) {
  await using opened = await openCatalog(clock)
  return await opened.catalog.transaction(async ({ images }) => {
    await images.add(asked('before', before))
    const stored = storedOf('disk')
    const told = { phase: 'Provisioning', ready: { reason: 'Provisioning', message: '' } } as const
    await images.change('uid-before', told)
    await images.change('uid-before', {
      phase: 'Ready',
      ready: { reason: 'Ready', message: '' },
      stored: { ...stored, source: { ...stored.source, url, etag, ...before.source } },
      secrets: null,
    })
    const [other] = await images.readyFrom('key', 10)
    return { other: mustBe(other), image: await images.add(asked('now', now)) }
  })
}

function mustBe(image: Image | undefined): Image {
  if (image) return image
  throw new Error('the image is not found by its URL')
}

const byDate = { etag: 'W/"1"', lastModified: date(day) }

describe('an image vouches for what another one asks for', () => {
  test.each([
    ['by its ETag', {}, {}],
    ['by its ETag, whatever each had to show', { secrets: true }, { secrets: true }],
    ['with the same checksum', {}, { http: { checksum: { sha256 } } }],
    ['by the same authority', { http: { caBundle } }, { http: { caBundle } }],
  ] as const)('%s', async (_how, before, now) => {
    const { other, image } = await both(before, now)
    const validators = { url, etag, lastModified: null }
    expect(validatorsOf(other, image, false)).toEqual(validators)
  })

  test('by its date, where nobody had anything to show', async () => {
    const { other, image } = await both({ source: byDate }, {})
    const validators = { url, etag: null, lastModified: byDate.lastModified }
    expect(validatorsOf(other, image, true)).toEqual(validators)
  })

  test('over plain HTTP where everyone may read everything', async () => {
    const plain = { http: { url: 'http://example.com/a.img' } }
    const { other, image } = await both(plain, plain)
    expect(validatorsOf(other, image, true)).not.toBeNull()
    expect(validatorsOf(other, image, false)).toBeNull()
  })
})

describe('an image does not vouch', () => {
  const insecure = { http: { insecureSkipTLSVerify: true } }
  test.each([
    ['that came from an unknown server', insecure, {}],
    ['for one that asks an unknown server', {}, insecure],
    ['for one that trusts another authority', {}, { http: { caBundle } }],
    ['that came from another authority', { http: { caBundle } }, {}],
    ['for another checksum', {}, { http: { checksum: { sha256: 'a'.repeat(64) } } }],
    ['for a checksum that is not known', {}, { http: { checksum: { md5: 'a'.repeat(32) } } }],
    ['by a weak ETag', { source: { etag: 'W/"1"' } }, {}],
    ['by a date where it had credentials', { source: byDate, secrets: true }, {}],
    ['by a date for one that has credentials', { source: byDate }, { secrets: true }],
    ['by a date of the last minute', { source: { ...byDate, lastModified: date(30_000) } }, {}],
    ['by a date that is none', { source: { ...byDate, lastModified: 'yesterday' } }, {}],
  ] as const)('%s', async (_how, before, now) => {
    const { other, image } = await both(before, now)
    expect(validatorsOf(other, image, true)).toBeNull()
  })

  test('when it is not Ready any more', async () => {
    const { other, image } = await both({}, {})
    expect(validatorsOf({ ...other, phase: 'ImageLost' }, image, true)).toBeNull()
  })
})

describe('known bytes', () => {
  const wanted = (checksum: HttpSection['checksum']) => ({
    type: 'HTTP' as const,
    http: { url, ...(checksum && { checksum }) },
  })

  async function found(checksum: HttpSection['checksum'], readable: readonly string[]) {
    await using opened = await openCatalog()
    return await opened.catalog.transaction(async (tables) => {
      for (const name of ['theirs', 'ours', 'failed']) {
        await tables.images.add(newImage(name))
        const told = (reason: 'Provisioning' | 'Ready') => ({ reason, message: '' }) as const
        const stored = storedOf('disk')
        await tables.images.change(`uid-${name}`, {
          phase: 'Provisioning',
          ready: told('Provisioning'),
        })
        if (name === 'failed') continue
        await tables.images.change(`uid-${name}`, { phase: 'Ready', ready: told('Ready'), stored })
      }
      return await knownBytes(wanted(checksum), (name) => readable.includes(name), tables)
    })
  }

  test('are those of an image that the caller may read', async () => {
    expect(await found({ sha256 }, ['ours', 'failed'])).toBe('uid-ours')
  })

  test.each([
    ['he may read none', { sha256 }, []],
    ['no image has them', { sha256: 'a'.repeat(64) }, ['ours']],
    ['another checksum is to hold, too', { sha256, md5: 'a'.repeat(32) }, ['ours']],
    ['he does not say what they are', undefined, ['ours']],
  ] as const)('are not when %s', async (_why, checksum, readable) => {
    expect(await found(checksum, readable)).toBeNull()
  })
})
