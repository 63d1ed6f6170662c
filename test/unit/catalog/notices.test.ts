import { describe, expect, test } from 'vitest'
import type { Catalog } from '../../../src/catalog/catalog.ts'
import type { Note } from '../../../src/catalog/notepad.ts'
import { digestOf } from '../../../src/image/digest.ts'
import { newImage, openCatalog, storedOf } from '../../support/catalog.ts'

const ready = {
  phase: 'Ready',
  ready: { reason: 'Ready', message: '' },
  source: { reason: 'DatasourceReady', message: '' },
  stored: storedOf('disk'),
} as const
const running = {
  phase: 'Provisioning',
  ready: { reason: 'Provisioning', message: '' },
} as const
const manifest = {
  digest: digestOf(Buffer.from('a manifest')),
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  size: 10,
}

/** A catalog that tells one subscriber everything. */
async function openTold() {
  const opened = await openCatalog()
  opened.catalog.noteFor(() => ['all'])
  return opened
}

/** What is to be told, oldest first. */
async function told({ read }: Catalog, subscriber = 'all'): Promise<readonly (Note | null)[]> {
  const notes: (Note | null)[] = []
  const flying: number[] = []
  for (;;) {
    const notice = await read.notices.due(subscriber, flying)
    if (!notice) return notes
    notes.push(notice.note)
    flying.push(notice.seq)
  }
}

async function mustBeDue({ read }: Catalog) {
  const notice = await read.notices.due('all', [])
  if (!notice) throw new Error('nothing is due')
  return notice
}

async function types(catalog: Catalog): Promise<readonly string[]> {
  const found: string[] = []
  for (;;) {
    const notice = await catalog.read.notices.due('all', [])
    if (!notice) return found
    found.push(notice.type)
    await catalog.transaction(({ notices }) => notices.delivered(notice))
  }
}

describe('what others are to be told', () => {
  test('are the steps of an image that mean something to them', async () => {
    await using opened = await openTold()
    const { catalog } = opened
    const step = async (change: Parameters<typeof apply>[1]) => await apply(catalog, change)
    await catalog.transaction(({ images }) => images.add(newImage('one')))
    await step(running)
    await step({ ...running, ready: { reason: 'Provisioning', message: 'half of it' } })
    await step(ready)
    await step({ phase: 'ImageLost', ready: { reason: 'ImageLost', message: 'gone' } })
    await step(ready)
    await step({ phase: 'Terminating', ready: ready.ready })
    await catalog.transaction(({ images }) => images.remove({ uid: 'uid-one', name: 'one' }))
    expect(await types(catalog)).toEqual([
      'image.created',
      'image.ready',
      'image.lost',
      'image.recovered',
      'image.deleted',
    ])
  })

  test('hold the image as it was then, without anything sealed', async () => {
    await using opened = await openTold()
    const { catalog } = opened
    const sealed = new Uint8Array([1, 2, 3])
    const image = newImage('one', { secrets: sealed, sealedQuery: sealed, urlKey: 'key' })
    await catalog.transaction(({ images }) => images.add(image))
    await apply(catalog, running)
    const [note] = await told(catalog)
    const before = { phase: 'Pending', secrets: null, sealedQuery: null, urlKey: null }
    expect(note).toMatchObject({ subject: 'one', image: { ...before, hadSecrets: true } })
  })

  test('are pushes once for each tag, and no deletion of what is put in its own place', async () => {
    await using opened = await openTold()
    const { catalog } = opened
    await catalog.transaction(async ({ manifests }) => {
      await manifests.put('team/a', manifest, [])
      for (const tag of ['1', '2']) await manifests.tag('team/a', tag, manifest.digest)
    })
    await catalog.transaction(async ({ manifests }) => {
      await manifests.removeAll('team/a')
      await manifests.put('team/a', manifest, [])
    })
    await catalog.transaction(({ manifests }) => manifests.untag('team/a', 'none'))
    const by = { id: '1', addr: 'a:1', host: 'h', method: 'DELETE', userAgent: 'u', name: 'n' }
    await catalog.transaction(({ manifests }) => manifests.remove('team/a', manifest.digest), by)
    const pushed = { type: 'manifest.pushed', subject: 'team/a', ...manifest, by: null }
    const gone = { type: 'manifest.deleted', subject: 'team/a', mediaType: null, size: null, by }
    const found: (Note | null)[] = []
    for (;;) {
      const notice = await catalog.read.notices.due('all', [])
      if (!notice) break
      found.push(notice.note)
      await catalog.transaction(({ notices }) => notices.delivered(notice))
    }
    expect(found).toEqual([
      { ...pushed, tag: '1' },
      { ...pushed, tag: '2' },
      { ...pushed, tag: null },
      { ...gone, digest: manifest.digest, tag: null },
    ])
  })

  test('go with the transaction that was to make them happen', async () => {
    await using opened = await openTold()
    const { catalog } = opened
    const failing = catalog.transaction(async ({ images }) => {
      await images.add(newImage('one'))
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await told(catalog)).toEqual([])
  })

  test('are nothing where nobody asks', async () => {
    await using opened = await openCatalog()
    const { catalog } = opened
    await catalog.transaction(({ images }) => images.add(newImage('one')))
    expect(await catalog.read.notices.backlog('all')).toEqual({
      waiting: 0,
      undelivered: 0,
      oldest: null,
    })
  })
})

describe('notices', () => {
  test('of one subject wait for each other, those of others do not', async () => {
    await using opened = await openTold()
    const { catalog, clock } = opened
    for (const name of ['one', 'two']) {
      await catalog.transaction(({ images }) => images.add(newImage(name)))
    }
    await apply(catalog, running)
    await apply(catalog, ready)
    const first = await catalog.read.notices.due('all', [])
    expect(first?.note).toMatchObject({ type: 'image.created', subject: 'one' })
    if (!first) return
    const later = clock.now() + 1000
    await catalog.transaction(({ notices }) => notices.failed(first, 'it was away', later))
    const second = await catalog.read.notices.due('all', [])
    expect(second?.note).toMatchObject({ type: 'image.created', subject: 'two' })
    if (!second) return
    expect(await catalog.read.notices.due('all', [second.seq])).toBeNull()
    expect(await catalog.read.notices.nextTurn('all', [second.seq])).toBe(later)
    clock.advance(1000)
    expect(await catalog.read.notices.due('all', [second.seq])).toMatchObject({
      id: first.id,
      tries: 1,
      problem: 'it was away',
    })
  })

  test('that were given up wait for somebody who wants them tried again', async () => {
    await using opened = await openTold()
    const { catalog, clock } = opened
    const { notices } = catalog.read
    await catalog.transaction(({ images }) => images.add(newImage('one')))
    const notice = await mustBeDue(catalog)
    await catalog.transaction((tables) => tables.notices.failed(notice, 'it answered 410', null))
    expect(await notices.due('all', [])).toBeNull()
    expect(await notices.backlog('all')).toEqual({ waiting: 0, undelivered: 1, oldest: null })
    const [given] = await notices.undelivered('all', 0, 10)
    expect(given).toMatchObject({ id: notice.id, problem: 'it answered 410' })
    clock.advance(4 * 86_400_000)
    expect(await catalog.transaction((tables) => tables.notices.tryAgain('all', 'other'))).toBe(0)
    expect(await catalog.transaction((tables) => tables.notices.tryAgain('all', null))).toBe(1)
    const again = await notices.due('all', [])
    expect(again).toMatchObject({ id: notice.id, tries: 0 })
    expect(again?.giveUpAt).toBeGreaterThan(clock.now())
  })

  test('that somebody wants tried again take what is before them along, and keep their order', async () => {
    await using opened = await openTold()
    const { catalog, clock } = opened
    const { notices } = catalog.read
    await catalog.transaction(({ images }) => images.add(newImage('one')))
    const first = await mustBeDue(catalog)
    const later = clock.now() + 1000
    await catalog.transaction((tables) => tables.notices.failed(first, 'it was away', null))
    await apply(catalog, running)
    await apply(catalog, ready)
    const second = await mustBeDue(catalog)
    await apply(catalog, { phase: 'Terminating', ready: ready.ready })
    await catalog.transaction(({ images }) => images.remove({ uid: 'uid-one', name: 'one' }))
    await catalog.transaction((tables) => tables.notices.failed(second, 'it was away', later))
    expect(await notices.due('all', [])).toBeNull()
    expect(await catalog.transaction((tables) => tables.notices.tryAgain('all', first.id))).toBe(1)
    // The one that is on its way fails after an older one has been put before it.
    await catalog.transaction((tables) => tables.notices.failed(second, 'it was away', later))
    expect(await notices.nextTurn('all', [first.seq])).toBeNull()
    expect(await types(catalog)).toEqual(['image.created', 'image.ready', 'image.deleted'])
  })

  test('are forgotten with their subscriber', async () => {
    await using opened = await openCatalog()
    const { catalog } = opened
    catalog.noteFor(() => ['stays', 'goes'])
    await catalog.transaction(({ images }) => images.add(newImage('one')))
    expect(await catalog.transaction(({ notices }) => notices.keepOnly(['stays']))).toBe(1)
    expect(await told(catalog, 'stays')).toHaveLength(1)
    expect(await told(catalog, 'goes')).toEqual([])
  })

  test('are 10 000 for a subscriber at most: the oldest go, those that were given up first', async () => {
    await using opened = await openCatalog()
    const { catalog } = opened
    const note: Note = {
      type: 'manifest.deleted',
      subject: 'team/a',
      digest: manifest.digest,
      tag: null,
      mediaType: null,
      size: null,
      by: null,
    }
    const dropped = async (count: number) => {
      const notes = Array.from({ length: count }, () => note)
      const written = await catalog.transaction(({ notices }) =>
        notices.write(notes, () => ['all']),
      )
      return written.dropped.get('all') ?? 0
    }
    const head = () => mustBeDue(catalog)
    expect(await dropped(10_000)).toBe(0)
    const first = await head()
    expect(await dropped(100)).toBe(100)
    const second = await head()
    expect(second.seq).toBe(first.seq + 100)
    const last = { ...second, seq: second.seq + 9_999 }
    await catalog.transaction(({ notices }) => notices.failed(last, 'no', null))
    expect(await dropped(99)).toBe(0)
    expect(await dropped(1)).toBe(100)
    expect((await head()).seq).toBe(second.seq + 99)
    expect((await catalog.read.notices.backlog('all')).undelivered).toBe(0)
  })
})

async function apply(
  catalog: Catalog,
  change: Parameters<Catalog['read']['images']['change']>[1],
): Promise<void> {
  await catalog.transaction(({ images }) => images.change('uid-one', change))
}
