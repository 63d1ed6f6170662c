import { expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { mebibyte } from '../support/disks.ts'
import { contentOf } from '../support/push-content.ts'
import { Random } from '../support/random.ts'
import { expectStatus, RegistryClient } from '../support/registry-client.ts'
import { startService } from '../support/service.ts'
import { request } from '../support/wire.ts'

const seed = 20_266
const repository = 'silent/it'

test('a push whose client has gone without a word is gone on with by another one', async () => {
  await using service = await startService()
  const client = new RegistryClient(() => service.base)
  const bytes = contentOf(new Random(seed), 2 * mebibyte)
  const session = await client.begin(repository)
  using silent = await request('PATCH', client.url(session), { 'Content-Length': bytes.length })
  await silent.send(bytes.subarray(0, mebibyte))
  await expect.poll(() => client.last(session), { timeout: 20_000 }).toBeGreaterThan(mebibyte / 2)
  const answer = await client.append(session, bytes.subarray(mebibyte), mebibyte)
  expect(answer.headers.get('range')).toBe(`0-${bytes.length - 1}`)
  await expectStatus(answer, 202)
  expect((await silent.answer()).text).toContain('another request goes on with this upload')
  await expectStatus(await client.finish(session, digestOf(bytes)), 201)
})
