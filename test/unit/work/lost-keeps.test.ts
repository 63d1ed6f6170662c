import { pino } from 'pino'
import { expect, test } from 'vitest'
import { parseDigest } from '../../../src/image/digest.ts'
import { Checkup } from '../../../src/work/checkup.ts'
import { collection } from '../../../src/work/collection.ts'
import { arrived, blobsOf } from '../../../src/work/soundness.ts'
import { Unowned } from '../../../src/work/unowned.ts'
import { makeReady, openBench, type TestBench } from '../../support/in-process-store.ts'

const never = new AbortController().signal
const log = pino({ level: 'silent' })

async function collectAll({ shelf }: TestBench) {
  const unowned = new Unowned({ ...shelf, isTaking: () => false })
  const task = collection({ ...shelf, unowned, log })
  await task({ options: {}, before: {}, report: () => {} }, never)
  await shelf.collector.sweep(never)
}

test('a collection leaves what a lost image is made of, also while it is started again', async () => {
  await using bench = await openBench()
  const { catalog, store } = bench
  const { uid, stored } = await makeReady('a', 'layer', bench)
  if (!stored) throw new Error('it is Ready')
  const layer = parseDigest(stored.layer.digest)
  const blob = await catalog.read.damages.byDigest(layer)
  const checkup = new Checkup({ catalog, store, log })
  if (blob) await checkup.tell(blob, { text: 'is damaged', isUnread: false })
  const phase = async () => (await catalog.read.images.byUid(uid))?.phase
  const here = async () => {
    await collectAll(bench)
    return await Promise.all(blobsOf(stored).map(async (each) => (await store.stat(each)) !== null))
  }
  expect(await phase()).toBe('ImageLost')
  expect(await here()).toEqual([true, true, true])
  // As a retry does it.
  await catalog.transaction(({ manifests }) => manifests.untag('cvi/a', 'latest'))
  expect(await here()).toEqual([true, true, true])
  await catalog.transaction((tables) => arrived(layer, tables))
  expect(await phase()).toBe('Ready')
  expect(await here()).toEqual([true, true, true])
})
