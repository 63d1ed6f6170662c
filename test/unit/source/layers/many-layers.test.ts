import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../../src/image/digest.ts'
import { findDisk } from '../../../../src/source/layers/find-disk.ts'
import { uncounted } from '../../../../src/source/tally.ts'
import { extended, records, tarOf, type Entry } from '../../../fixtures/tar-by-hand.ts'
import {
  content,
  disk,
  enough,
  expectDisk,
  file,
  find,
  folder,
  gzipped,
  layer,
  plain,
  refusal,
  zstd,
} from './images.ts'

const system = tarOf(folder('etc/'), file('etc/passwd'), folder('usr/'), file('usr/bin/sh'))
const withDisk = tarOf(folder('disk/'), disk)
const empty = tarOf()
const opaque = file('disk/.wh..wh..opq', Buffer.alloc(0))
const whiteout = file('disk/.wh.x.img', Buffer.alloc(0))

describe('the disk is found', () => {
  test.each([
    ['the first of forty', 0],
    ['the middle of forty', 20],
    ['the last of forty', 39],
  ])('in %s', async (_, at) => {
    const layers = Array.from({ length: 40 }, (_, index) => {
      const tar = index === at ? withDisk : tarOf(file(`etc/${index}`))
      return [plain, gzipped, zstd][index % 3]?.(tar) ?? tar
    })
    const { layer } = await expectDisk(layers)
    const stored = layers[at] ?? empty
    expect(layer.digest).toBe(digestOf(Buffer.isBuffer(stored) ? stored : stored.blob))
  })

  test('in the highest layer that has it', async () => {
    const below = tarOf(file('disk/x.img', Buffer.from('an older one')))
    const { layer } = await expectDisk([below, withDisk, system])
    expect(layer.digest).toBe(digestOf(withDisk))
  })

  test('and no lower layer is opened', async () => {
    const unread = { ...layer(system), open: () => Promise.reject(new Error('opened')) }
    const options = { ...enough, tally: uncounted }
    const signal = AbortSignal.timeout(10_000)
    const { body, name } = await findDisk([unread, layer(withDisk)], options, signal)
    expect(name).toBe('disk/x.img')
    expect(Buffer.concat(await body.toArray()).equals(content)).toBe(true)
  })

  const beside: { readonly [title: string]: readonly Entry[] } = {
    'a whiteout of another name': [file('disk/.wh.y.img')],
    'a whiteout elsewhere': [file('.wh.etc'), file('etc/.wh..wh..opq'), file('var/.wh.disk')],
    'a whiteout deeper': [file('disk/sub/.wh.x.img')],
    'a directory of another name': [folder('disk/lost+found/')],
    'the directory itself': [folder('disk')],
    'a hard link to it': [{ name: 'a', flag: '1', linkname: 'disk/x.img' }],
    diskfoo: [file('diskfoo/x.img'), file('.wh.diskfoo')],
  }

  test.each(Object.entries(beside))('under %s', async (_, entries) => {
    await expectDisk([withDisk, tarOf(...entries)])
  })

  test('when lower disks of other names are removed', async () => {
    const lower = tarOf(
      file('disk/old.img'),
      { name: 'disk/odd.img', flag: '2', linkname: '/etc' },
      disk,
    )
    await expectDisk([lower, tarOf(file('disk/.wh.old.img'), file('disk/.wh.odd.img'))])
  })

  test('when a lower disk is a link that a directory hides', async () => {
    const link = tarOf({ name: 'disk', flag: '2', linkname: 'data' })
    const message = await refusal('INVALID_OCI', [withDisk, link, tarOf(folder('disk/'))])
    expect(message).toContain('disk/x.img is removed by a layer above')
  })
})

describe('no disk is found', () => {
  const removed = 'no file under /disk: disk/x.img is removed by a layer above'
  const hidden: { readonly [title: string]: readonly [readonly Buffer[], string] } = {
    'when it is removed': [[withDisk, tarOf(whiteout)], removed],
    'when it is removed two layers above': [[withDisk, system, tarOf(whiteout), system], removed],
    'when the marker has another spelling': [
      [withDisk, tarOf({ ...whiteout, name: '/disk/.wh.x.img' })],
      removed,
    ],
    'when the directory is opaque': [[withDisk, tarOf(opaque)], removed],
    'when the marker comes by PAX': [
      [withDisk, tarOf(extended(records({ path: opaque.name })), opaque)],
      removed,
    ],
    'when the directory is removed': [[withDisk, tarOf(file('.wh.disk'))], removed],
    'when the root is opaque': [[withDisk, tarOf(file('.wh..wh..opq'))], removed],
    'when the directory became a file': [[withDisk, tarOf(file('disk'))], removed],
    'when it is empty': [[tarOf(folder('disk/')), system], 'no file under /disk: disk/ is empty'],
    'when there is none': [
      [system],
      'no file under /disk; the image holds etc/, usr/; put the one disk there: COPY disk.img /disk/',
    ],
    'when it is in a directory': [
      [tarOf(folder('disk/'), folder('disk/a/'), file('disk/a/x.img')), system],
      'no file under /disk; the image holds disk/a/x.img, etc/, usr/',
    ],
    'when it is beside': [
      [system, tarOf(file('disk.img'), file('Disk/x.img'), file('a'))],
      'no file under /disk; the image holds Disk/, disk.img, a, etc/, usr/',
    ],
    'when there is nothing': [[empty], 'no file under /disk; the image holds nothing'],
    'when there are no layers': [[], 'no file under /disk; the image holds nothing'],
    'when there is much': [
      [tarOf(...Array.from({ length: 11 }, (_, at) => file(`${at}`)))],
      'holds 0, 1, 10, 2, 3, 4, 5, 6, 7, 8 …;',
    ],
    'when names are long or strange': [
      [
        tarOf(
          file('a\u001b[31m\nb\u202e'),
          file(`b${'c'.repeat(99)}`),
          extended(records({ path: 'd'.repeat(500) })),
          file('d'),
        ),
      ],
      `holds a?[31m?b?, b${'c'.repeat(99)}, ${'d'.repeat(100)}…;`,
    ],
  }

  test.each(Object.entries(hidden))('%s', async (_, [layers, message]) => {
    expect(await refusal('INVALID_OCI', layers)).toContain(message)
  })

  test('and many names are not all kept', async () => {
    const names = Array.from({ length: 5000 }, (_, at) => file(`n${at}`))
    expect(await refusal('INVALID_OCI', [tarOf(...names)])).toMatch(/holds n0, .* …;/)
  })
})

describe('an upper layer that puts something else in its place is unsafe', () => {
  const entries: { readonly [title: string]: readonly [Entry, string] } = {
    'a symbolic link': [
      { name: 'disk/x.img', flag: '2', linkname: 'y' },
      'is a symbolic link to y',
    ],
    'a hard link': [
      { name: 'disk/x.img', flag: '1', linkname: 'etc/y' },
      'is a hard link to etc/y',
    ],
    'a device': [{ name: 'disk/x.img', flag: '4' }, 'is a block device'],
    'a directory': [folder('disk/x.img'), 'a directory hides disk/x.img'],
    'a file in a directory': [file('disk/x.img/y'), 'a directory hides disk/x.img'],
    'a link as directory': [
      { name: 'disk', flag: '2', linkname: 'data' },
      'disk is a symbolic link to data',
    ],
  }

  test.each(Object.entries(entries))('%s', async (_, [entry, message]) => {
    expect(await refusal('UNSAFE_ARCHIVE', [withDisk, system, tarOf(entry)])).toContain(message)
  })

  test('but not what a still higher layer has removed', async () => {
    const link = tarOf({ name: 'disk/x.img', flag: '2', linkname: 'y' })
    const message = await refusal('INVALID_OCI', [withDisk, link, tarOf(whiteout)])
    expect(message).toContain('disk/x.img is removed by a layer above')
  })

  test('nor what is removed and put there anew', async () => {
    const first = tarOf(file('disk/a.img'), file('disk/b.img'))
    await expectDisk([first, tarOf(opaque, disk)])
  })
})

test('progress counts what the layers took, as they are stored', async () => {
  let count = 0
  const layers = [gzipped(system), zstd(withDisk), gzipped(system)]
  await find(layers, { expect() {}, add: (bytes) => (count += bytes) })
  expect(count).toBe((layers[1]?.blob.length ?? 0) + (layers[2]?.blob.length ?? 0))
})
