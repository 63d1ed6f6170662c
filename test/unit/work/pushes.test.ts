import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { digestOf } from '../../../src/image/digest.ts'
import {
  begunIn,
  blobOf,
  chunk,
  hour,
  never,
  nothing,
  openBench,
} from '../../support/push-bench.ts'

const minute = 60_000
const repository = 'a/b'
const blob = blobOf('the bytes of a blob')

type Bench = Awaited<ReturnType<typeof openBench>>

const held = ({ catalog }: Bench, digest = blob.digest) =>
  catalog.read.holdings.blobSize(repository, digest)

const begun = (bench: Bench, text?: string) => begunIn(bench, repository, text)

describe('a session', () => {
  test('takes a blob in parts, which the repository holds for an hour then', async () => {
    await using bench = await openBench()
    const { pushes, clock } = bench
    const id = await begun(bench)
    expect(await pushes.offset(repository, id, never)).toBe(9)
    expect(await pushes.append(repository, id, chunk(' of a', 9), never)).toBe(14)
    expect(await held(bench)).toBeNull()
    await pushes.finish(repository, id, blob.digest, chunk(' blob', 14), never)
    clock.advance(hour - 1)
    await bench.sweep()
    expect(await held(bench)).toBe(blob.size)
    clock.advance(1)
    await bench.sweep()
    expect(await held(bench)).toBeNull()
    expect(await bench.store.stat(blob.digest)).toBeNull()
  })

  test('is closed by another algorithm than it was begun with', async () => {
    await using bench = await openBench()
    const id = await begun(bench)
    const digest = digestOf(Buffer.from('the bytes'), 'sha512')
    await bench.pushes.finish(repository, id, digest, nothing(), never)
    expect(await held(bench, digest)).toBe(9)
  })

  test('belongs to its repository', async () => {
    await using bench = await openBench()
    const id = await begun(bench)
    await expect(bench.pushes.offset('other', id, never)).rejects.toMatchObject({
      code: 'BLOB_UPLOAD_UNKNOWN',
    })
  })

  test('lives on behind a part that is out of order', async () => {
    await using bench = await openBench()
    const { pushes } = bench
    const id = await begun(bench)
    for (const start of [0, 8, 10, 1000]) {
      await expect(pushes.append(repository, id, chunk('x', start), never)).rejects.toMatchObject({
        code: 'UPLOAD_OUT_OF_ORDER',
      })
    }
    expect(await pushes.offset(repository, id, never)).toBe(9)
    await pushes.finish(repository, id, digestOf(Buffer.from('the bytes')), nothing(), never)
  })

  test('whose bytes are something else is gone, and so are they', async () => {
    await using bench = await openBench()
    const { pushes } = bench
    const id = await begun(bench)
    await expect(
      pushes.finish(repository, id, blob.digest, nothing(), never),
    ).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    await expect(pushes.offset(repository, id, never)).rejects.toMatchObject({
      code: 'BLOB_UPLOAD_UNKNOWN',
    })
    expect(await bench.store.staged()).toEqual([])
    expect(await bench.catalog.read.blobs.total()).toBe(0)
  })

  test('that is cancelled while somebody writes ends at once', async () => {
    await using bench = await openBench()
    const { pushes } = bench
    const id = await begun(bench)
    const body = new PassThrough()
    const writing = pushes.append(repository, id, { body, start: 9, size: 100 }, never)
    const ended = expect(writing).rejects.toMatchObject({ code: 'PUSH_INTERRUPTED' })
    body.write(' of')
    await pushes.cancel(repository, id, never)
    await ended
    expect(await bench.store.staged()).toEqual([])
    await expect(pushes.cancel(repository, id, never)).rejects.toMatchObject({
      code: 'BLOB_UPLOAD_UNKNOWN',
    })
  })

  test('of which a part breaks off keeps what came of it', async () => {
    await using bench = await openBench()
    const { pushes } = bench
    const id = await begun(bench)
    const body = new PassThrough().on('error', () => {})
    const writing = pushes.append(repository, id, { body, start: null, size: null }, never)
    const ended = expect(writing).rejects.toMatchObject({ code: 'PUSH_INTERRUPTED' })
    body.write(' of', () => body.destroy(Object.assign(new Error('cut'), { code: 'ECONNRESET' })))
    await ended
    const offset = await pushes.offset(repository, id, never)
    expect([9, 12]).toContain(offset)
    const rest = blob.bytes.subarray(offset)
    await pushes.finish(repository, id, blob.digest, chunk(rest), never)
    expect(await held(bench)).toBe(blob.size)
  })

  test('may be one of a thousand, and the next is told to come later', async () => {
    await using bench = await openBench()
    const { pushes } = bench
    const ids = []
    for (let count = 0; count < 1000; count += 1) {
      ids.push(await pushes.begin(`of-many/${count % 4}`, 'sha256'))
    }
    await expect(begun(bench, '')).rejects.toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      retryAfter: 30_000,
    })
    await pushes.cancel('of-many/0', ids[500] ?? '', never)
    await begun(bench, '')
    await pushes.append('of-many/0', ids[0] ?? '', chunk('some'), never)
    bench.clock.advance(hour)
    await begun(bench, '')
    expect(await pushes.offset('of-many/0', ids[0] ?? '', never)).toBe(4)
    expect(await bench.catalog.read.pushSessions.count()).toBe(2)
  })
})

describe('two that write one session', () => {
  const stream = (body: PassThrough) => ({ body, start: null, size: null })

  test('as streams are never mixed: the second is refused when the first brought bytes', async () => {
    await using bench = await openBench()
    const { pushes } = bench
    const id = await begun(bench, '')
    const [first, second] = [new PassThrough(), new PassThrough()]
    const writing = pushes.append(repository, id, stream(first), never)
    first.write('the first ')
    const waiting = pushes.append(repository, id, stream(second), never)
    const refused = expect(waiting).rejects.toMatchObject({ code: 'UPLOAD_OUT_OF_ORDER' })
    second.end('something else')
    first.end('alone')
    expect(await writing).toBe(15)
    await refused
    const digest = digestOf(Buffer.from('the first alone'))
    await pushes.finish(repository, id, digest, nothing(), never)
  })

  test('with ranges: the one that is behind is refused at once', async () => {
    await using bench = await openBench()
    const { pushes } = bench
    const id = await begun(bench)
    const first = new PassThrough()
    const writing = pushes.append(repository, id, { body: first, start: 9, size: 3 }, never)
    await expect(pushes.append(repository, id, chunk('x', 3), never)).rejects.toMatchObject({
      code: 'UPLOAD_OUT_OF_ORDER',
    })
    first.end(' of')
    expect(await writing).toBe(12)
  })

  test('with ranges: the one that is ahead waits for what comes before it', async () => {
    await using bench = await openBench()
    const { pushes } = bench
    const id = await begun(bench)
    const first = new PassThrough()
    const writing = pushes.append(repository, id, { body: first, start: 9, size: 5 }, never)
    const waiting = pushes.append(repository, id, chunk(' blob', 14), never)
    first.end(' of a')
    expect(await writing).toBe(14)
    expect(await waiting).toBe(19)
    await pushes.finish(repository, id, blob.digest, nothing(), never)
  })

  test('by two ends get one blob, and one is told that the session is over', async () => {
    await using bench = await openBench()
    const { pushes } = bench
    const id = await begun(bench, blob.bytes.toString())
    const finish = () => pushes.finish(repository, id, blob.digest, nothing(), never)
    const [first, second] = await Promise.allSettled([finish(), finish()])
    expect(first.status).toBe('fulfilled')
    expect(second).toMatchObject({ reason: { code: 'BLOB_UPLOAD_UNKNOWN' } })
    expect(await held(bench)).toBe(blob.size)
  })
})

describe('sessions that nobody touches', () => {
  test('go after a day', async () => {
    await using bench = await openBench()
    const { pushes, clock } = bench
    const all = [
      [await begun(bench, ''), 0],
      [await begun(bench), 9],
    ] as const
    clock.advance(24 * hour - 1)
    await bench.sweep()
    for (const [id, offset] of all) expect(await pushes.offset(repository, id, never)).toBe(offset)
    clock.advance(1)
    await bench.sweep()
    for (const [id] of all) {
      await expect(pushes.offset(repository, id, never)).rejects.toMatchObject({
        code: 'BLOB_UPLOAD_UNKNOWN',
      })
    }
    expect(await readdir(join(bench.folder, 'staging'))).toEqual([])
  })

  test('stay while somebody writes, however long', async () => {
    await using bench = await openBench()
    const { pushes, clock } = bench
    const id = await begun(bench)
    const body = new PassThrough()
    const writing = pushes.append(repository, id, { body, start: 9, size: 5 }, never)
    body.write(' of')
    for (let day = 0; day < 3; day += 1) {
      clock.advance(24 * hour)
      await bench.sweep()
    }
    body.end(' a')
    expect(await writing).toBe(14)
    clock.advance(23 * hour)
    await bench.sweep()
    expect(await pushes.offset(repository, id, never)).toBe(14)
  })

  test('go a day after the last part, not after the first', async () => {
    await using bench = await openBench()
    const { pushes, clock } = bench
    const id = await begun(bench)
    clock.advance(23 * hour)
    await pushes.append(repository, id, chunk(' of'), never)
    clock.advance(23 * hour)
    await bench.sweep()
    expect(await pushes.offset(repository, id, never)).toBe(12)
    clock.advance(hour + 1)
    await bench.sweep()
    await expect(pushes.offset(repository, id, never)).rejects.toThrow('no such upload')
  })
})

describe('a lease', () => {
  test('of the repository lasts as long as a session in it is at work', async () => {
    await using bench = await openBench()
    const { pushes, clock } = bench
    await pushes.whole(repository, blob.digest, chunk(blob.bytes), never)
    const id = await begun(bench)
    for (let part = 0; part < 4; part += 1) {
      clock.advance(50 * minute)
      await pushes.append(repository, id, chunk('.'), never)
      await bench.sweep()
    }
    expect(await held(bench)).toBe(blob.size)
    clock.advance(hour)
    await bench.sweep()
    expect(await held(bench)).toBeNull()
  })
})
