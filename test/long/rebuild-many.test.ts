import { expect, test } from 'vitest'
import { disk } from '../support/disks.ts'
import { everythingOf, loseCatalog, rebuild } from '../support/lost-catalog.ts'
import { expectStatus } from '../support/registry-client.ts'
import { send } from '../support/rest.ts'
import { startService } from '../support/service.ts'

const count = 1000
const clients = 4

test(
  'the catalog of a thousand images is made again: each shows and gives the same',
  { timeout: 900_000 },
  async () => {
    await using service = await startService({ SLIPWAY_REGISTRY_HOST: 'registry.example' })
    const { rest, folder } = service
    const make = async (first: number) => {
      for (let index = first; index < count; index += clients) {
        const url = await rest.createUpload(`image-${index}`)
        await expectStatus(await send(url, disk(64 * 1024, index)), 201)
      }
    }
    await Promise.all(Array.from({ length: clients }, (_, first) => make(first)))
    const before = await everythingOf(service)
    expect(before.images).toHaveLength(count)
    await service.stop()
    await loseCatalog(service)
    await rebuild(folder)
    await service.start()
    expect(await everythingOf(service)).toEqual(before)
  },
)
