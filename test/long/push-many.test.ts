import { expect, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { contentOf } from '../support/push-content.ts'
import { pushLeftovers } from '../support/push-leftovers.ts'
import { Random } from '../support/random.ts'
import { bytesOf, expectStatus, RegistryClient } from '../support/registry-client.ts'
import { startService } from '../support/service.ts'

/** LONG_SEED=7 npm run long mixes them in another way. */
const seed = Number(process.env['LONG_SEED'] ?? 20_268)
/** More than the service keeps the files of open. */
const sessions = 400
const clients = 32
const parts = 4
const deadline = 600_000

test(
  `${sessions} sessions are written turn by turn (seed ${seed})`,
  { timeout: deadline },
  async () => {
    await using service = await startService()
    const client = new RegistryClient(() => service.base)
    const random = new Random(seed)
    const pushes = Array.from({ length: sessions }, (_, nth) => ({
      // One repository may not have so many.
      repository: `many/it${nth % 2}`,
      bytes: contentOf(random, parts * (1 + random.below(20_000))),
      at: '',
      sent: 0,
    }))
    const turns = [...pushes]
    const write = async () => {
      for (let push = turns.shift(); push; push = turns.shift()) {
        push.at ||= await client.begin(push.repository)
        const end = push.sent + push.bytes.length / parts
        // A stream: it is refused when anybody else seems to write.
        await expectStatus(
          await client.append(push.at, push.bytes.subarray(push.sent, end), null),
          202,
        )
        push.sent = end
        if (end < push.bytes.length) turns.splice(random.below(turns.length + 1), 0, push)
      }
    }
    await Promise.all(Array.from({ length: clients }, write))
    for (const { repository, at, bytes } of pushes) {
      const digest = digestOf(bytes)
      await expectStatus(await client.finish(at, digest), 201)
      const read = await client.blob('GET', repository, digest)
      expect((await bytesOf(read)).equals(bytes)).toBe(true)
    }
    const { staged, sessions: left } = await pushLeftovers(service.folder)
    expect({ staged, left }).toEqual({ staged: [], left: 0 })
  },
)
