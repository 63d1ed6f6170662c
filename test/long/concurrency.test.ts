import { expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { expectNothing, expectOnly } from '../support/leftovers.ts'
import { send, type Rest } from '../support/rest.ts'
import { startService } from '../support/service.ts'

/** Imports, and as many uploads. */
const many = 10
const atOnce = 2

/** Numbers with two digits, so that names are in order. */
const numbers = Array.from({ length: many }, (_, index) => String(index + 10))

/** A source that lets the first go only together with another, and nobody before it has looked who else is there. */
class Gate {
  readonly #rest: Rest
  readonly #together = Promise.withResolvers<void>()
  #inside = 0
  /** Of importers at the same time. */
  most = 0

  constructor(rest: Rest) {
    this.#rest = rest
  }

  serve(neighbour: Neighbour, number: string): string {
    const bytes = disk(mebibyte, Number(number))
    return neighbour.serve(`/${number}`, () => ({
      bytes,
      pause: { at: 'head', until: this.#pass() },
    }))
  }

  async #pass(): Promise<void> {
    this.#inside += 1
    this.most = Math.max(this.most, this.#inside)
    if (this.#inside === atOnce) this.#together.resolve()
    await this.#together.promise
    // The service has the time of an answer to begin one import too many.
    await this.#rest.list()
    this.#inside -= 1
  }
}

test('many uploads and imports at once all get Ready, two imports at a time', async () => {
  await using neighbour = await startNeighbour()
  await using service = await startService({ SLIPWAY_IMPORT_CONCURRENCY: String(atOnce) })
  const { rest } = service
  const gate = new Gate(rest)
  const imported = numbers.map(async (number) => {
    await rest.createFrom(`import-${number}`, gate.serve(neighbour, number))
    await rest.ready(`import-${number}`)
  })
  const uploaded = numbers.map(async (number) => {
    const url = await rest.createUpload(`upload-${number}`)
    expect((await send(url, disk(mebibyte, Number(number)))).status).toBe(201)
  })
  await Promise.all([...imported, ...uploaded])
  expect(gate.most).toBe(atOnce)
  const names = ['import', 'upload'].flatMap((how) => numbers.map((number) => `${how}-${number}`))
  await expectOnly(service.folder, names)
  await Promise.all(names.map((name) => rest.delete(name)))
  await expectNothing(service.folder)
})
