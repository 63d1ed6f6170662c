import { rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf, hexOf, parseDigest } from '../../src/image/digest.ts'
import { mebibyte } from '../support/disks.ts'
import { contentOf, imageManifest } from '../support/push-content.ts'
import { pushLeftovers } from '../support/push-leftovers.ts'
import { Random } from '../support/random.ts'
import {
  bytesOf,
  codeOf,
  expectStatus,
  rangeOf,
  RegistryClient,
  type Bytes,
} from '../support/registry-client.ts'
import { startService, type Service } from '../support/service.ts'
import { request } from '../support/wire.ts'

const seed = 20_266
const repository = 'race/it'

const clientOf = (service: Service) => new RegistryClient(() => service.base)
const partOf = (bytes: Bytes) => ({ digest: digestOf(bytes), size: bytes.length })

async function putImage(
  client: RegistryClient,
  into: string,
  blobs: readonly Bytes[],
  name: string,
) {
  const [config, ...layers] = blobs.map(partOf)
  if (!config) throw new Error('an image needs a blob')
  const manifest = imageManifest(config, layers, { annotations: { name } })
  const reference = digestOf(manifest.bytes)
  return { reference, answer: await client.putManifest(into, { ...manifest, reference }) }
}

describe('two clients that write one session', () => {
  test.each(['ranges', 'streams'])('with %s never mix their bytes (seed 20266)', async (how) => {
    await using service = await startService()
    const client = clientOf(service)
    const random = new Random(seed)
    for (let round = 0; round < 5; round += 1) {
      const blobs = [contentOf(random, 1_500_000), contentOf(random, 1_500_000)]
      const session = await client.begin(repository)
      const write = async (bytes: Bytes) => {
        const answer = await sendAll(client, session, bytes, how)
        if (answer !== 202) return false
        return (await client.finish(session, digestOf(bytes))).status === 201
      }
      const won = await Promise.all(blobs.map(write))
      // A stream that comes when the other one has ended is laid behind it, and neither digest is right then.
      const fewest = how === 'ranges' ? 1 : 0
      const winners = won.filter(Boolean).length
      expect(winners, `round ${round}`).toBeGreaterThanOrEqual(fewest)
      expect(winners, `round ${round}`).toBeLessThanOrEqual(1)
      for (const [index, bytes] of blobs.entries()) {
        const read = await client.blob('GET', repository, digestOf(bytes))
        expect(read.status).toBe(won[index] ? 200 : 404)
        const body = await bytesOf(read)
        if (won[index]) expect(body.equals(bytes)).toBe(true)
      }
    }
    const { staged, sessions } = await pushLeftovers(service.folder)
    expect({ staged, sessions }).toEqual({ staged: [], sessions: 0 })
  })
})

/** Pieces one after the other, over one connection each or over one for all. */
async function sendAll(client: RegistryClient, session: string, bytes: Bytes, how: string) {
  if (how === 'streams') {
    using wire = await request('PATCH', client.url(session), { 'Transfer-Encoding': 'chunked' })
    try {
      for (let at = 0; at < bytes.length; at += 300_000) {
        const piece = bytes.subarray(at, at + 300_000)
        await wire.send(`${piece.length.toString(16)}\r\n`)
        await wire.send(piece)
        await wire.send('\r\n')
      }
      await wire.send('0\r\n\r\n')
    } catch {
      // It was refused, and the rest is not wanted.
      return 416
    }
    return (await wire.answer()).status
  }
  for (let at = 0; at < bytes.length; at += 300_000) {
    const piece = bytes.subarray(at, at + 300_000)
    const headers = { 'Content-Length': piece.length, 'Content-Range': rangeOf(at, piece.length) }
    using wire = await request('PATCH', client.url(session), headers)
    await wire.send(piece).catch(() => {})
    const { status } = await wire.answer()
    if (status !== 202) return status
  }
  return 202
}

describe('many pushes of one blob at the same time', () => {
  test('leave one file, and every repository can use it', async () => {
    await using service = await startService()
    const client = clientOf(service)
    const bytes = contentOf(new Random(seed), mebibyte)
    const names = Array.from({ length: 64 }, (_, index) => `many/r${index % 16}`)
    const repositories = [...new Set(names)]
    await Promise.all(
      names.map((name, index) =>
        index % 2
          ? client.push(name, bytes)
          : client.whole(name, bytes).then((a) => expectStatus(a, 201)),
      ),
    )
    expect(await pushLeftovers(service.folder)).toEqual({
      staged: [],
      files: [digestOf(bytes)],
      rows: [digestOf(bytes)],
      sessions: 0,
      leases: names.toSorted(),
      references: 0,
    })
    const put = async (name: string) => {
      const { answer } = await putImage(client, name, [bytes], name)
      await expectStatus(answer, 201)
      const read = await client.blob('GET', name, digestOf(bytes))
      expect((await bytesOf(read)).equals(bytes)).toBe(true)
    }
    await Promise.all(repositories.map(put))
    const after = await pushLeftovers(service.folder)
    expect(after.files).toHaveLength(1 + repositories.length)
    expect(after.rows).toEqual(after.files)
    expect(after.leases).toHaveLength(names.length - repositories.length)
    expect(after.staged).toEqual([])
  })
})

describe('a blob whose manifest is deleted', () => {
  test('stays for a pusher that has been told of it', async () => {
    await using service = await startService()
    const client = clientOf(service)
    const bytes: Bytes = Buffer.from('wanted again')
    await client.push(repository, bytes)
    for (let round = 0; round < 10; round += 1) {
      const { reference, answer } = await putImage(client, repository, [bytes], `${round}`)
      await expectStatus(answer, 201)
      expect((await client.blob('HEAD', repository, digestOf(bytes))).status).toBe(200)
      await expectStatus(await client.manifest('DELETE', repository, reference), 202)
    }
  })

  test('is kept for whoever is told of it at the same moment', async () => {
    await using service = await startService()
    const client = clientOf(service)
    for (let round = 0; round < 30; round += 1) {
      const bytes: Bytes = Buffer.from(`blob ${round}`)
      await client.push(repository, bytes)
      const { reference } = await putImage(client, repository, [bytes], 'first')
      const [asked, deleted] = await Promise.all([
        client.blob('HEAD', repository, digestOf(bytes)),
        client.manifest('DELETE', repository, reference),
      ])
      await expectStatus(deleted, 202)
      const { answer } = await putImage(client, repository, [bytes], 'second')
      await expectStatus(answer, ...(asked.status === 200 ? [201] : [201, 404]))
    }
  })

  test('is there, or is told to be missing and can be pushed again, without the question', async () => {
    await using service = await startService()
    const client = clientOf(service)
    const bytes: Bytes = Buffer.from('wanted by somebody else')
    await client.push(repository, bytes)
    let { reference } = await putImage(client, repository, [bytes], 'first')
    const statuses = new Set<number>()
    for (let round = 0; round < 10; round += 1) {
      const [deleted, next] = await Promise.all([
        client.manifest('DELETE', repository, reference),
        putImage(client, repository, [bytes], `${round}`),
      ])
      await expectStatus(deleted, 202)
      statuses.add(next.answer.status)
      if (next.answer.status === 404) {
        expect(await codeOf(next.answer)).toBe('MANIFEST_BLOB_UNKNOWN')
        await client.push(repository, bytes)
        await expectStatus((await putImage(client, repository, [bytes], `${round}`)).answer, 201)
      } else {
        await expectStatus(next.answer, 201)
      }
      const read = await client.blob('GET', repository, digestOf(bytes))
      expect((await bytesOf(read)).equals(bytes)).toBe(true)
      reference = next.reference
    }
    expect([...statuses].every((status) => status === 201 || status === 404)).toBe(true)
  })
})

describe('a blob that was damaged on the disk', () => {
  test.each(['removed', 'cut short'])('(%s) is missing, and a push repairs it', async (how) => {
    await using service = await startService()
    const client = clientOf(service)
    const bytes = contentOf(new Random(seed), 300_000)
    const digest = digestOf(bytes)
    await client.push(repository, bytes)
    const { reference, answer } = await putImage(client, repository, [bytes], 'it')
    await expectStatus(answer, 201)
    const hex = hexOf(parseDigest(digest))
    const place = join(service.folder, 'blobs', 'sha256', hex.slice(0, 2), hex)
    await (how === 'removed' ? rm(place) : truncate(place, 1000))
    expect((await client.blob('HEAD', repository, digest)).status).toBe(404)
    expect((await client.mount('race/other', digest, repository)).status).toBe(202)
    const again = await putImage(client, repository, [bytes], 'another')
    expect(again.answer.status).toBe(404)
    expect(await codeOf(again.answer)).toBe('MANIFEST_BLOB_UNKNOWN')
    await client.push(repository, bytes)
    const read = await client.blob('GET', repository, digest)
    expect((await bytesOf(read)).equals(bytes)).toBe(true)
    await expectStatus((await putImage(client, repository, [bytes], 'another')).answer, 201)
    expect((await client.manifest('HEAD', repository, reference)).status).toBe(200)
  })
})
