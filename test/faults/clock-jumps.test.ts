import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect } from 'vitest'
import { runSchema } from '../../src/serve/api/storage-schema.ts'
import { disk } from '../support/disks.ts'
import { startNeighbour, type Neighbour } from '../support/http-neighbour.ts'
import { imageManifest, type Part } from '../support/push-content.ts'
import type { Random } from '../support/random.ts'
import { bytesOf, expectStatus, RegistryClient } from '../support/registry-client.ts'
import { get, send, uploadUrl } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { request, type Wire } from '../support/wire.ts'
import { digestOf } from '../../src/image/digest.ts'
import { buildShim, needsCompiler } from './shim.ts'
import { ShiftedClock } from './shifted-clock.ts'
import { tryOut, type Round } from './trial.ts'

const size = 96 * 1024
const half = size / 2
/** Each of them in both directions, and back. Milliseconds. */
const jumps = [1000, 5000, 60_000, 16 * 60_000, 3_600_000, 25 * 3_600_000] as const
/** An import's next attempt is a few seconds away, on a machine that has other work, too. */
const goesOnWithin = 60_000
/** The service looks at the clock every second. */
const noticed = /the clock .*was set/

/** Once in so many rounds the process is killed, and the images of four times as many stay. */
const life = 12

type Begun = {
  readonly name: string
  readonly bytes: Buffer<ArrayBuffer>
}

type PushBegun = {
  readonly repository: string
  readonly bytes: Buffer<ArrayBuffer>
  readonly session: string
  readonly layer: Part
  readonly put: ReturnType<typeof imageManifest>
  /** Its digest. */
  readonly manifest: string
}

describe.skipIf(!needsCompiler())('time', () => {
  tryOut('clock-jumps', async (trial) => {
    await using folder = await temporaryFolder()
    await using neighbour = await startNeighbour()
    using clock = new ShiftedClock(join(folder.path, 'shift'))
    const shim = await buildShim('clock', folder.path)
    await using service = await startService({ LD_PRELOAD: shim, ...clock.variables })
    const stage = new Stage(service, neighbour, clock)
    for (const round of trial.rounds()) {
      await stage.play(round)
      trial.tried += stage.jumps
      trial.note('uploads', 3)
      trial.note('imports')
      trial.note('pushes')
      stage.jumps = 0
      if (round.index % life === 2) trial.note('restarts', await stage.restart(round.random))
    }
    await stage.expectKept()
    expect(service.logs.toString()).toMatch(noticed)
  })
})

/** A service whose clock jumps while everything that can wait does. */
class Stage {
  jumps = 0
  readonly #service: Service
  readonly #neighbour: Neighbour
  readonly #clock: ShiftedClock
  readonly #registry: RegistryClient
  /** What was Ready and has to stay, the newest last. */
  readonly #kept: Begun[] = []

  constructor(service: Service, neighbour: Neighbour, clock: ShiftedClock) {
    this.#service = service
    this.#neighbour = neighbour
    this.#clock = clock
    this.#registry = new RegistryClient(() => service.base)
  }

  async play({ index, random }: Round): Promise<void> {
    const waits = this.#begun(`waits-${index}`, random)
    const url = await this.#service.rest.createUpload(waits.name)
    const broken = await this.#breakOff(this.#begun(`broken-${index}`, random))
    const sent = await this.#sendHalf(this.#begun(`sent-${index}`, random))
    using wire = sent.wire
    const imported = await this.#import(this.#begun(`import-${index}`, random))
    const pushed = await this.#pushHalf(`push/${index}`, this.#begun('pushed', random).bytes)
    const polled = this.#poll(waits.name)

    for (let nth = random.below(3); nth >= 0; nth -= 1) await this.#jump(random)
    await this.#jumpWhile(random, () => this.#collect())
    await this.#finishSending(sent.bytes, wire)
    await this.#goOn(broken)
    await this.#jumpWhile(random, async () => await expectTaken(await send(url, waits.bytes)))
    await polled
    await this.#jumpWhile(random, () => this.#finishPush(pushed))
    await this.#service.rest.ready(imported.name, goesOnWithin)
    await this.#expectAges()
    this.#kept.push(waits, broken, sent, imported)
    await this.#expectKept(random)
    await this.#registry.ask('DELETE', `/v2/push/${index}/manifests/${pushed.manifest}`)
  }

  /** Killed just when the clock jumps, back or forward. @returns how often */
  async restart(random: Random): Promise<number> {
    const waits = this.#begun(`down-${random.below(1e9)}`, random)
    const url = await this.#service.rest.createUpload(waits.name)
    const by = random.pick(jumps) * random.pick([-1, 1])
    this.#clock.jump(by)
    await this.#service.kill()
    await this.#service.start()
    // Time that has passed while no service ran counts.
    const isOver = by >= 15 * 60_000
    if (isOver)
      await this.#service.rest.until(waits.name, ({ status }) => status.phase === 'Failed')
    const again = isOver ? uploadUrl(await this.#service.rest.retry(waits.name)) : this.#moved(url)
    await expectTaken(await send(again, waits.bytes))
    const { status } = await this.#service.rest.image(waits.name)
    expect(status.phase).toBe('Ready')
    this.#kept.push(waits)
    return 1
  }

  async expectKept(): Promise<void> {
    await this.#collect()
    for (const { name, bytes } of this.#kept) await this.#expectBytes(name, bytes)
  }

  #begun(name: string, random: Random): Begun {
    return { name, bytes: disk(size, random.below(1e9)) }
  }

  #moved(url: string): string {
    return this.#service.base + new URL(url).pathname
  }

  /** An upload of which a half is here, and whose client is away. */
  async #breakOff({ name, bytes }: Begun) {
    const url = await this.#service.rest.createUpload(name)
    const headers = { 'content-range': `bytes 0-${half - 1}/${size}` }
    const part = await fetch(url, { method: 'PUT', body: bytes.subarray(0, half), headers })
    await part.text()
    return { name, bytes, url }
  }

  async #goOn({ bytes, url }: Begun & { readonly url: string }): Promise<void> {
    const headers = { 'content-range': `bytes ${half}-${size - 1}/${size}` }
    const body = bytes.subarray(half)
    await expectTaken(await fetch(url, { method: 'PUT', body, headers }))
  }

  /** An upload that is being sent. */
  async #sendHalf({ name, bytes }: Begun) {
    const url = await this.#service.rest.createUpload(name)
    const wire = await request('PUT', url, { 'Content-Length': size })
    await wire.send(bytes.subarray(0, half))
    await this.#service.rest.reaches(name, 'Provisioning')
    return { name, bytes, wire }
  }

  async #finishSending(bytes: Buffer, wire: Wire): Promise<void> {
    await wire.send(bytes.subarray(half))
    const { status, text } = await wire.answer()
    expect(status, text).toBe(201)
  }

  /** Its source is away the first two times. */
  async #import({ name, bytes }: Begun): Promise<Begun> {
    const script = (nth: number) => (nth < 3 ? { status: 503 } : { bytes })
    const url = this.#neighbour.serve(`/${name}`, script)
    await this.#service.rest.createFrom(name, url)
    return { name, bytes }
  }

  /** One blob is here, of the other one a half, and no manifest needs them. */
  async #pushHalf(repository: string, bytes: Buffer<ArrayBuffer>): Promise<PushBegun> {
    const config = Buffer.from(`{"of":"${repository}"}`)
    const digest = await this.#registry.push(repository, config)
    const session = await this.#registry.begin(repository)
    await expectStatus(await this.#registry.append(session, bytes.subarray(0, half), 0), 202)
    const layer = { digest: digestOf(bytes), size }
    const put = imageManifest({ digest, size: config.length }, [layer])
    return { repository, bytes, session, layer, put, manifest: digestOf(put.bytes) }
  }

  async #finishPush(pushed: PushBegun): Promise<void> {
    const { repository, bytes, session, layer, put, manifest } = pushed
    const last = await this.#registry.last(session)
    expect(last, 'bytes of a push that waits').toBe(half - 1)
    await expectStatus(await this.#registry.append(session, bytes.subarray(half), half), 202)
    await expectStatus(await this.#registry.finish(session, layer.digest), 201)
    const tagged = await this.#registry.putManifest(repository, { ...put, reference: 'latest' })
    await expectStatus(tagged, 201)
    const answer = await this.#registry.manifest('GET', repository, 'latest')
    expect(digestOf(await bytesOf(answer))).toBe(manifest)
  }

  /** Whoever waits for a second does. */
  async #poll(name: string): Promise<void> {
    const url = this.#service.rest.url(`/${name}`)
    const etag = (await get(url)).headers.get('etag') ?? ''
    const answer = await get(`${url}?wait=1s`, { 'if-none-match': etag })
    await answer.text()
    expect([200, 304]).toContain(answer.status)
  }

  async #jump(random: Random): Promise<void> {
    await pause(random.below(300))
    const isBack = this.#clock.by !== 0 && random.below(3) === 0
    this.#clock.jump(isBack ? -this.#clock.by : random.pick(jumps) * random.pick([-1, 1]))
    this.jumps += 1
    await pause(random.below(1500))
  }

  async #jumpWhile(random: Random, work: () => Promise<void>): Promise<void> {
    const jumping = this.#jump(random)
    await work()
    await jumping
  }

  async #collect(): Promise<void> {
    const url = `${this.#service.base}/api/v1/storage/gc`
    const begun = await fetch(url, { method: 'POST' })
    const { id } = runSchema.parse(JSON.parse(await expectStatus(begun, 202)))
    const ended = async () => {
      const answer = await get(`${this.#service.base}/api/v1/storage/runs/${id}`)
      return runSchema.parse(JSON.parse(await expectStatus(answer, 200))).state
    }
    await expect.poll(ended, { timeout: goesOnWithin }).toBe('done')
  }

  /** No time is in the future, and so no age is negative. */
  async #expectAges(): Promise<void> {
    const text = await (await get(`${this.#service.base}/metrics`)).text()
    const negative = text.split('\n').filter((line) => /^slipway_\S+ -/.test(line))
    expect(negative).toEqual([])
  }

  /** One of those that are kept is pulled; the oldest go, so that the folder does not grow. */
  async #expectKept(random: Random): Promise<void> {
    const { name, bytes } = this.#kept[random.below(this.#kept.length)] ?? { name: '', bytes: null }
    if (bytes) await this.#expectBytes(name, bytes)
    for (const old of this.#kept.splice(0, this.#kept.length - 4 * life)) {
      await this.#service.rest.delete(old.name)
    }
  }

  async #expectBytes(name: string, bytes: Buffer): Promise<void> {
    expect((await this.#service.rest.image(name)).status.phase, name).toBe('Ready')
    const answer = await get(this.#service.rest.url(`/${name}/disk`))
    expect((await bytesOf(answer)).equals(bytes), name).toBe(true)
  }
}

async function expectTaken(answer: Response): Promise<void> {
  await expectStatus(answer, 201)
}
