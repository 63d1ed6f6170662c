import { expect } from 'vitest'
import { z } from 'zod'
import { basic } from '../callers.ts'
import { disk, mebibyte } from '../disks.ts'
import { EventStream, Mirror } from '../event-source.ts'
import { forever, type Script } from '../http-neighbour.ts'
import { get, send } from '../rest.ts'
import { readiness, type DataSource, type Resource } from './resources.ts'
import type { Stage } from './stage.ts'

const kind = 'ClusterVirtualImage'
const aboutSchema = z.object({ name: z.string(), uid: z.string() })

const bytes = disk(mebibyte / 4)
const others = disk(mebibyte / 4, 1)

const secrets = '/api/v1/namespaces/default/secrets'
const secretRef = { name: 'source', namespace: 'default' }
const asked = basic('reader', 'of images')

/** What resources go through, with the same end however often the companion is killed meanwhile. */
export class Scenario implements AsyncDisposable {
  readonly #stage: Stage
  readonly #stream: EventStream
  /** What the service said of its images, all the time. */
  readonly #mirror = new Mirror()

  private constructor(stage: Stage, stream: EventStream) {
    this.#stage = stage
    this.#stream = stream
  }

  static async open(stage: Stage): Promise<Scenario> {
    const stringData = { username: 'reader', password: 'of images' }
    const body = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: secretRef.name },
      stringData,
    }
    await stage.api.done(secrets, { method: 'POST', body })
    const stream = await EventStream.open(`${stage.service.base}/api/v1/events`)
    return new Scenario(stage, stream)
  }

  /** An image from a source that asks for a password, and its deletion. */
  async short(name: string): Promise<void> {
    await this.begin(name)
    await this.end([name])
  }

  /** The first part of it, for which nobody has to be there. */
  async begin(name: string): Promise<void> {
    const url = this.#serve(name, { bytes })
    await this.#create(name, { type: 'HTTP', http: { url, secretRef } })
  }

  async end(names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.#readyFrom(name)))
    await Promise.all(names.map((name) => this.#stage.resources.deleted(name)))
    await this.#expectNothing(names)
  }

  /** Of every kind one, each by itself and at the same time. */
  async long(prefix: string): Promise<void> {
    const names = await Promise.all([
      this.#sharing(`${prefix}-http`, `${prefix}-ref`),
      this.#uploaded(`${prefix}-upload`, `${prefix}-upref`),
      this.#failing(`${prefix}-bad`),
      this.#doomed(`${prefix}-doomed`),
      this.#twice(`${prefix}-twice`),
    ])
    const there = names.flat().filter((name) => this.#stage.resources.find(name) !== null)
    await Promise.all(there.map((name) => this.#stage.resources.deleted(name)))
    await this.#expectNothing(names.flat())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream[Symbol.asyncDispose]()
  }

  async #http(name: string): Promise<void> {
    await this.begin(name)
    await this.#readyFrom(name)
  }

  async #sharing(name: string, ref: string): Promise<readonly string[]> {
    await this.#create(ref, { type: 'ObjectRef', objectRef: { kind, name } })
    await this.#http(name)
    await this.#ready(ref)
    const { status } = await this.#stage.resources.ready(name)
    expect(this.#stage.resources.find(ref)?.status).toMatchObject({
      sourceUID: this.#uid(name),
      size: status?.size,
    })
    return [name, ref]
  }

  async #uploaded(name: string, ref: string): Promise<readonly string[]> {
    const { resources } = this.#stage
    await this.#create(name, { type: 'Upload' })
    await this.#create(ref, { type: 'ObjectRef', objectRef: { kind, name } })
    const { status } = await resources.reaches(name, 'WaitForUserUpload')
    const answer = await send(status?.imageUploadURLs?.external ?? '', others)
    expect(answer.status, await answer.text()).toBe(201)
    await Promise.all([this.#ready(name), this.#ready(ref)])
    return [name, ref]
  }

  async #failing(name: string): Promise<readonly string[]> {
    const url = this.#serve(name, { status: 404 })
    await this.#create(name, { type: 'HTTP', http: { url, secretRef } })
    const resource = await this.#stage.resources.reaches(name, 'Failed')
    expect(readiness(resource)).toMatchObject({
      status: 'False',
      reason: 'ProvisioningFailedTerminally',
    })
    await this.#expectAsServed(name, ['DataSourceImportFailed'])
    expect(this.#stage.neighbour.count(`/${name}`)).toBe(1)
    return [name]
  }

  /** Deleted in the middle of its import, which the source never ends. */
  async #doomed(name: string): Promise<readonly string[]> {
    const url = this.#serve(name, { bytes, pause: { at: bytes.length / 2, until: forever } })
    const { metadata } = await this.#create(name, { type: 'HTTP', http: { url, secretRef } })
    await this.#stage.resources.reaches(name, 'Provisioning')
    await this.#stage.resources.deleted(name)
    expect(this.#stage.neighbour.count(`/${name}`)).toBe(1)
    await this.#expectOnce(metadata.uid, ['DataSourceImportStarted'])
    return [name]
  }

  async #twice(name: string): Promise<readonly string[]> {
    await this.#http(name)
    await this.#stage.resources.deleted(name)
    const url = this.#serve(`${name}-again`, { bytes: others })
    await this.#create(name, { type: 'HTTP', http: { url, secretRef } })
    await this.#readyFrom(name, `${name}-again`)
    return [name]
  }

  async #create(name: string, dataSource: DataSource): Promise<Resource> {
    return await this.#stage.resources.create(name, dataSource)
  }

  #uid(name: string): string | undefined {
    return this.#stage.resources.find(name)?.metadata.uid
  }

  #serve(name: string, script: Script): string {
    return this.#stage.neighbour.serve(`/${name}`, (_nth, { headers }) =>
      headers.authorization === asked ? script : { status: 401 },
    )
  }

  async #readyFrom(name: string, path = name): Promise<void> {
    await this.#ready(name)
    expect(this.#stage.neighbour.count(`/${path}`), `imports of ${path}`).toBe(1)
  }

  async #ready(name: string): Promise<void> {
    const resource = await this.#stage.resources.ready(name)
    expect(resource.metadata.finalizers).toEqual(['virtualization.deckhouse.io/cvi-cleanup'])
    expect(resource.status).toMatchObject({ progress: '100%', format: 'raw', cdrom: false })
    await this.#expectAsServed(name, ['DataSourceImportStarted', 'DataSourceImportCompleted'])
  }

  /** The resource says what the service says, word for word. */
  async #expectAsServed(name: string, reasons: readonly string[]): Promise<void> {
    const resource = this.#stage.resources.find(name)
    const { status } = await this.#stage.service.rest.image(name)
    const sourceUID = resource?.status?.sourceUID
    expect(resource?.status).toEqual({
      ...status,
      observedGeneration: 1,
      ...(sourceUID !== undefined && { sourceUID }),
    })
    await this.#expectOnce(resource?.metadata.uid ?? '', reasons)
  }

  async #expectOnce(uid: string, reasons: readonly string[]): Promise<void> {
    const events = await this.#stage.resources.events(uid)
    const told = events.map(({ reason }) => reason)
    expect(told).toEqual([...new Set(told)])
    expect(told).toEqual(expect.arrayContaining([...reasons]))
  }

  /** Of each name there was one image in the service's whole life, of some two, and none is there now. */
  async #expectNothing(names: readonly string[]): Promise<void> {
    for (const name of names) {
      expect((await get(this.#stage.service.rest.url(`/${name}`))).status).toBe(404)
    }
    const wanted = new Map(names.map((name) => [name, name.endsWith('-twice') ? 2 : 1]))
    await this.#stream.until(() => {
      return names.every((name) => this.#toldOf(name, ['deleted']).size >= (wanted.get(name) ?? 0))
    }, this.#mirror)
    const ever = new Map(names.map((name) => [name, this.#toldOf(name, ['image', 'deleted']).size]))
    expect(ever).toEqual(wanted)
  }

  /** Uids of the images of that name that such events were about. */
  #toldOf(name: string, kinds: readonly string[]): ReadonlySet<string> {
    const about = this.#mirror.told
      .filter(({ event }) => kinds.includes(event))
      .map(({ data }) => aboutSchema.parse(JSON.parse(data)))
    return new Set(about.flatMap((image) => (image.name === name ? [image.uid] : [])))
  }
}
