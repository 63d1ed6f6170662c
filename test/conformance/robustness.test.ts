import { readdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { digestOf, hexOf } from '../../src/image/digest.ts'
import { fresh } from '../support/conformance-documents.ts'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { expected, Registry, serving } from '../support/conformance-registry.ts'
import { blobFolder } from '../support/place.ts'
import { close } from '../support/conformance-ways.ts'

const at = serving()

/** Where the bytes of a blob lie. */
async function fileOf(digest: string): Promise<string> {
  const blobs = blobFolder(at.service.folder)
  const files = await readdir(blobs, { recursive: true })
  const found = files.find((path) => path.endsWith(digest.slice(digest.indexOf(':') + 1)))
  if (found === undefined) throw new Error(`no file of ${digest}`)
  return join(blobs, found)
}

describe('what a disk or a crash has taken', { concurrent: false }, () => {
  test.each([
    ['missing', (path: string) => rm(path)],
    ['cut short', (path: string) => truncate(path, 10)],
  ])('a blob that is %s is not promised, and a further push repairs it', async (_, damage) => {
    const { registry } = at
    const repository = registry.repository()
    const bytes = fresh(3000)
    const digest = await registry.push(repository, bytes)
    const path = `/v2/${repository}/blobs/${digest}`
    await damage(await fileOf(digest))
    expect((await registry.head(path)).status).toBe(404)
    const mount = `/v2/${registry.repository()}/blobs/uploads/?mount=${digest}`
    const upload = expected(await registry.ask('POST', mount), 202).location
    expect((await registry.delete(upload)).status).toBe(204)
    await registry.push(repository, bytes)
    expect((await registry.get(path)).bytes.equals(bytes)).toBe(true)
  })

  test('an upload survives the death of the service, byte for byte', async () => {
    const bytes = fresh(500_000)
    const repository = at.registry.repository()
    const location = await at.registry.begin(repository)
    expected(await at.registry.patch(location, bytes.subarray(0, 400_000), '0-399999'), 202)
    await at.service.kill()
    await at.service.start()
    const registry = new Registry(at.service.base)
    const status = expected(await registry.get(location), 204)
    expect(status.header('range')).toBe('0-399999')
    expectRefusal(
      await registry.patch(location, bytes.subarray(300_000), '300000-499999'),
      416,
      'BLOB_UPLOAD_INVALID',
    )
    const digest = digestOf(bytes, 'sha512')
    const last = bytes.subarray(400_000)
    expected(await close(registry, location, digest, last, '400000-499999'), 201)
    const reply = await registry.get(`/v2/${repository}/blobs/${digest}`)
    expect(hexOf(digestOf(reply.bytes, 'sha512'))).toBe(hexOf(digest))
    await registry.close()
  })

  test('uploads that nobody ends are limited, and whoever is refused is told when to come', async () => {
    const registry = new Registry(at.service.base)
    const path = `/v2/${registry.repository()}/blobs/uploads/`
    const begun: string[] = []
    for (let open = true; open && begun.length <= 1000;) {
      const replies = await Promise.all(Array.from({ length: 8 }, () => registry.ask('POST', path)))
      for (const reply of replies) {
        if (reply.status === 202) begun.push(reply.location)
        else {
          open = false
          expectRefusal(reply, 429, 'TOOMANYREQUESTS')
          expect(Number(reply.header('retry-after'))).toBeGreaterThan(0)
        }
      }
    }
    expect(begun).toHaveLength(250)
    // Other repositories have room still.
    expected(await registry.ask('POST', `/v2/${registry.repository()}/blobs/uploads/`), 202)
    expect((await registry.delete(begun[0] ?? '')).status).toBe(204)
    expected(await registry.ask('POST', path), 202)
    await registry.close()
  })
})
