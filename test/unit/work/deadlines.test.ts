import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { Active } from '../../../src/work/active.ts'
import { Deadlines } from '../../../src/work/deadlines.ts'
import { FilesystemStore } from '../../../src/store/filesystem.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const ttl = 900_000

async function waiting(state: 'waiting' | 'interrupted' | 'receiving') {
  const resources = new AsyncDisposableStack()
  const folder = resources.use(await temporaryFolder())
  const { catalog, clock } = resources.use(await openCatalog())
  const store = await FilesystemStore.open(folder.path)
  const expiresAt = state === 'receiving' ? null : clock.time + ttl
  const known = { length: null, offset: 0, checksums: {} }
  const upload = { tokenHash: 'hash', imageUid: 'uid-a', attempt: 1, state, expiresAt, ...known }
  await catalog.transaction(async ({ images, uploads }) => {
    const ready = { reason: 'WaitForUserUpload', message: '' } as const
    await images.add(
      newImage('a', { dataSource: { type: 'Upload' }, phase: 'WaitForUserUpload', ready }),
    )
    await uploads.add(upload)
    if (state === 'waiting') return
    const begun = { reason: 'Provisioning', message: '' } as const
    await images.change('uid-a', { phase: 'Provisioning', ready: begun })
  })
  const log = pino({ level: 'silent' })
  const active = new Active(clock.now)
  const rest = { ttl, idle: 60_000, now: clock.now, log }
  const deadlines = new Deadlines({ catalog, store, active, ...rest })
  const dispose = () => resources.disposeAsync()
  return { catalog, clock, store, upload, deadlines, [Symbol.asyncDispose]: dispose }
}

describe('deadlines', () => {
  test('end an upload that nobody began, not before its time', async () => {
    await using opened = await waiting('waiting')
    const { deadlines, catalog, clock, upload } = opened
    clock.advance(ttl - 1)
    await deadlines.expire(upload)
    expect(await catalog.read.images.byName('a')).toMatchObject({ phase: 'WaitForUserUpload' })
    clock.advance(1)
    await deadlines.expire(upload)
    expect(await catalog.read.images.byName('a')).toMatchObject({
      phase: 'Failed',
      ready: {
        reason: 'WaitForUserUploadTimeout',
        message: expect.stringContaining('no upload was begun within 15m'),
      },
    })
  })

  test('end what became due while the service was down, at its next start', async () => {
    await using opened = await waiting('waiting')
    const { deadlines, catalog, clock } = opened
    clock.advance(10 * ttl)
    const failed = new Promise<void>((resolve) => catalog.watch('a', resolve))
    deadlines.look()
    await failed
    expect(await catalog.read.images.byName('a')).toMatchObject({ phase: 'Failed' })
    await deadlines.stop()
  })

  test('let nobody ask for another attempt before the bytes of this one are gone', async () => {
    await using opened = await waiting('interrupted')
    const { deadlines, catalog, clock, store, upload } = opened
    const phases: (string | undefined)[] = []
    store.discard = async () => {
      phases.push((await catalog.read.images.byName('a'))?.phase)
    }
    clock.advance(ttl)
    await deadlines.expire(upload)
    expect(new Set(phases)).toEqual(new Set(['Provisioning']))
    expect(await catalog.read.images.byName('a')).toMatchObject({ phase: 'Failed' })
  })

  test('end an upload that broke off and never came again', async () => {
    await using opened = await waiting('interrupted')
    const { deadlines, catalog, clock, upload } = opened
    clock.advance(ttl)
    await deadlines.expire(upload)
    expect((await catalog.read.images.byName('a'))?.ready.message).toContain(
      'broke off and was not sent again within 1m',
    )
  })

  test('never end an upload whose bytes are coming', async () => {
    await using opened = await waiting('receiving')
    const { deadlines, catalog, clock, upload } = opened
    clock.advance(100 * ttl)
    await deadlines.expire(upload)
    deadlines.look()
    await deadlines.stop()
    expect(await catalog.read.images.byName('a')).toMatchObject({ phase: 'Provisioning' })
  })
})
