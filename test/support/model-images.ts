import { namedBy, type Disk } from './model-disks.ts'
import type { CutClient } from './model-life.ts'
import { same } from './model-own.ts'
import { createImage, steadyImage } from './model-watch.ts'
import type { Neighbour } from './http-neighbour.ts'
import type { Random } from './random.ts'
import { bytesOf, expectStatus, type Bytes } from './registry-client.ts'
import { problemOf, type Image } from './rest.ts'
import { sendDisk, sendRest } from './model-sending.ts'

type Spec =
  | { readonly type: 'HTTP'; readonly http: { url: string; checksum?: { sha256: string } } }
  | { readonly type: 'Upload' }
  | {
      readonly type: 'ObjectRef'
      readonly objectRef: { readonly kind: 'ClusterVirtualImage'; readonly name: string }
    }

type Ready = {
  readonly phase: 'Ready'
  readonly spec: Spec
  readonly disk: Disk
  /** What was sent or fetched; null for what was only referred to. */
  readonly source: { readonly sha256: string; readonly bytes: number } | null
}
type Waiting = {
  readonly phase: 'WaitForUserUpload'
  readonly spec: Spec
  /** Of which disk some bytes may be here. */
  readonly sending: Disk | null
}
/** `disk` is what a further attempt comes to, null for another failure. */
type Failed = { readonly phase: 'Failed'; readonly spec: Spec; readonly disk: Disk | null }
type Absent = { readonly phase: 'absent' }
type State = Absent | Ready | Waiting | Failed

const absent: Absent = { phase: 'absent' }
const wrong = 'ab'.repeat(32)
const html: Bytes = Buffer.from('<!doctype html><title>no disk</title>'.repeat(40))
const names = 4
/** Paths of one image that have nothing to give at first. */
const mostAbsent = 16

/** The images of one client, which nobody else changes. */
export class OwnImages {
  readonly names: readonly [string, ...string[]]
  readonly #client: CutClient
  readonly #neighbour: Neighbour
  readonly #random: Random
  readonly #disks: readonly [Disk, ...Disk[]]
  readonly #states = new Map<string, State>()
  /** Paths of the URLs that take uploads. */
  readonly #doors = new Map<string, string>()
  /** Digests of manifests and configs, as they were told. */
  readonly #made = new Map<string, readonly string[]>()
  /** What an unanswered request may have come to; the first of a phase counts. */
  #open: { readonly name: string; readonly outcomes: readonly State[] } | null = null
  #serial = 0

  constructor(
    lane: string,
    client: CutClient,
    neighbour: Neighbour,
    random: Random,
    disks: readonly [Disk, ...Disk[]],
  ) {
    const all = Array.from({ length: names }, (_, index) => `${lane}-${index}`)
    this.names = [`${lane}-0`, ...all.slice(1)]
    this.#client = client
    this.#neighbour = neighbour
    this.#random = random
    this.#disks = disks
  }

  async step(): Promise<void> {
    const name = this.#random.pick(this.names)
    const state = this.#of(name)
    const way = this.#random.below(8)
    if (way === 0) return await this.#checkOne(name)
    if (state.phase === 'absent') return await this.#createSomehow(name)
    if (way === 1) return await this.#remove(name)
    if (way === 2) return await this.#createAgain(name, state)
    if (state.phase === 'Ready') return await this.#read(name, state)
    if (state.phase === 'Failed') return await this.#retry(name, state)
    await this.#send(name, state)
  }

  /** After a cut: what the last request has come to, which is certain from then on, and every byte of it is there. */
  async settle(): Promise<void> {
    const open = this.#open
    if (!open) return
    await this.#settle()
    const state = this.#of(open.name)
    if (state.phase === 'Ready') await this.#read(open.name, state)
  }

  async #settle(): Promise<void> {
    const open = this.#open
    if (!open) return
    const image = await steadyImage(this.#client, open.name)
    const found = image ? phaseOf(image) : 'absent'
    const outcome = open.outcomes.find(({ phase }) => phase === found)
    if (!outcome) throw new Error(unexpected(open.name, image, open.outcomes))
    if (image) await this.#adopt(image, outcome)
    this.#states.set(open.name, outcome)
    this.#open = null
  }

  async check(): Promise<void> {
    for (const name of this.names) await this.#checkOne(name)
  }

  async empty(): Promise<void> {
    for (const name of this.names) await this.#remove(name)
    await this.check()
  }

  /** What the store has to hold of these images. */
  expected() {
    const ready = this.names.flatMap((name) => {
      const state = this.#of(name)
      return state.phase === 'Ready' ? [{ name, layer: state.disk.layer.digest }] : []
    })
    return {
      digests: ready.flatMap(({ name, layer }) => [layer, ...(this.#made.get(name) ?? [])]),
      records: ready.map(({ name }) => `cvi/${name}/_tags/latest`),
    }
  }

  async #createSomehow(name: string): Promise<void> {
    const ways = [
      () => this.#import(name),
      () => this.#import(name),
      () => this.#create(name, { type: 'Upload' }, waiting()),
      () => this.#create(name, { type: 'Upload' }, waiting()),
      () => this.#refer(name),
      () => this.#importWrong(name),
      () => this.#importAbsent(name),
    ] as const
    await this.#random.pick(ways)()
  }

  async #import(name: string): Promise<void> {
    const disk = this.#random.pick(this.#disks)
    const way = this.#random.below(3)
    const [path, source] = [disk.paths[way], disk.sources[way]]
    if (path === undefined || !source) throw new Error('there is no such path')
    const checksum = this.#random.below(2) ? { sha256: source.sha256 } : null
    const spec: Spec = {
      type: 'HTTP',
      http: { url: this.#neighbour.url(path), ...(checksum && { checksum }) },
    }
    await this.#create(name, spec, { phase: 'Ready', spec, disk, source })
  }

  async #importWrong(name: string): Promise<void> {
    const [path] = this.#random.pick(this.#disks).paths
    const http = { url: this.#neighbour.url(path), checksum: { sha256: wrong } }
    const spec: Spec = { type: 'HTTP', http }
    await this.#create(name, spec, { phase: 'Failed', spec, disk: null })
  }

  /** From a source that has the disk by the time of the next attempt. */
  async #importAbsent(name: string): Promise<void> {
    const disk = this.#random.pick(this.#disks)
    const path = `/${name}-${(this.#serial += 1) % mostAbsent}.img`
    const spec: Spec = { type: 'HTTP', http: { url: this.#neighbour.serve(path, { status: 404 }) } }
    await this.#create(name, spec, { phase: 'Failed', spec, disk })
  }

  async #refer(name: string): Promise<void> {
    const target = this.names.find((other) => this.#of(other).phase === 'Ready')
    const state = this.#of(target ?? name)
    if (target === undefined || state.phase !== 'Ready') return await this.#import(name)
    const objectRef = { kind: 'ClusterVirtualImage', name: target } as const
    const spec: Spec = { type: 'ObjectRef', objectRef }
    await this.#create(name, spec, { phase: 'Ready', spec, disk: state.disk, source: null })
  }

  async #create(name: string, spec: Spec, outcome: State): Promise<void> {
    await this.#change(name, [], outcome, async () => {
      await expectStatus(await createImage(this.#client, name, spec), 201)
    })
  }

  /** The same once more is no change; another one of that name is refused. */
  async #createAgain(name: string, { spec }: Ready | Waiting | Failed): Promise<void> {
    await expectStatus(await createImage(this.#client, name, spec), 200)
    const other = { type: 'HTTP', http: { url: this.#neighbour.url('/other.img') } }
    const answer = await createImage(this.#client, name, other)
    same('a spec that differs', answer.status, 409)
    same('the code', (await problemOf(answer)).code, 'SPEC_DIFFERS')
  }

  async #retry(name: string, { spec, disk }: Failed): Promise<void> {
    const source = disk && { sha256: disk.sha256, bytes: disk.bytes.length }
    // Not before: a create that was cut may be tried at any time.
    if (disk && spec.type === 'HTTP') {
      const { pathname } = new URL(spec.http.url)
      this.#neighbour.serve(pathname, { bytes: disk.bytes, ranges: 'honest' })
    }
    const again = (): State => {
      if (spec.type === 'Upload') return waiting()
      return disk ? { phase: 'Ready', spec, disk, source } : { phase: 'Failed', spec, disk }
    }
    await this.#change(name, [], again(), async () => {
      await expectStatus(await this.#client.ask('POST', `/api/v1/images/${name}/retry`), 202)
    })
  }

  async #send(name: string, { spec, sending }: Waiting): Promise<void> {
    const door = this.#doors.get(name) ?? 'none'
    if (this.#random.below(6) === 0) return await this.#sendWrong(name, spec, door)
    const disk = sending ?? this.#random.pick(this.#disks)
    const source = { sha256: disk.sha256, bytes: disk.bytes.length }
    const done: Ready = { phase: 'Ready', spec, disk, source }
    await this.#change(name, [{ ...waiting(), sending: disk }], done, async () => {
      const send = sending ? sendRest : sendDisk
      await send(this.#client, door, disk.bytes, this.#random)
    })
  }

  async #sendWrong(name: string, spec: Spec, door: string): Promise<void> {
    await this.#change(name, [waiting()], { phase: 'Failed', spec, disk: null }, async () => {
      await expectStatus(await this.#client.ask('PUT', door, { body: html }), 422)
    })
  }

  async #remove(name: string): Promise<void> {
    const status = this.#of(name).phase === 'absent' ? 404 : 202
    await this.#change(name, [], absent, async () => {
      await expectStatus(await this.#client.ask('DELETE', `/api/v1/images/${name}`), status)
    })
  }

  /** @param meanwhile what the image may be while the request is under way, beside what it was and what it will be */
  async #change(
    name: string,
    meanwhile: readonly State[],
    then: State,
    request: () => Promise<void>,
  ): Promise<void> {
    this.#open = { name, outcomes: [then, ...meanwhile, this.#of(name)] }
    await request()
    this.#open = { name, outcomes: [then] }
    await this.#settle()
  }

  async #adopt(image: Image, state: State): Promise<void> {
    const { name, status } = image
    const url = status.imageUploadURLs?.external
    if (url !== undefined) this.#doors.set(name, new URL(url).pathname)
    if (state.phase === 'Ready') await this.#checkStatus(image, state)
  }

  async #checkStatus({ name, status }: Image, { disk, source }: Ready): Promise<void> {
    same(`the size of ${name}`, status.size?.unpackedBytes, String(disk.bytes.length))
    if (source) {
      const { sha256, bytes } = status.source ?? {}
      same(`the source of ${name}`, [sha256, bytes], [source.sha256, String(source.bytes)])
    }
    const answer = await this.#client.manifest('GET', `cvi/${name}`, 'latest')
    const manifest = await bytesOf(answer)
    same(`the manifest of ${name}`, answer.status, 200)
    const { config, layer } = namedBy(manifest)
    same(`the layer of ${name}`, layer, disk.layer.digest)
    this.#made.set(name, [status.target.digest ?? '', config])
  }

  async #checkOne(name: string): Promise<void> {
    const state = this.#of(name)
    const image = await steadyImage(this.#client, name)
    const found = image ? phaseOf(image) : 'absent'
    if (found !== state.phase) throw new Error(unexpected(name, image, [state]))
    if (image) await this.#adopt(image, state)
    if (state.phase === 'Ready') return await this.#read(name, state)
    const answer = await this.#client.manifest('GET', `cvi/${name}`, 'latest')
    same(`the manifest of ${name}, which is not Ready`, answer.status, 404)
  }

  async #read(name: string, { disk }: Ready): Promise<void> {
    const repository = `cvi/${name}`
    const { layer, bytes } = disk
    const from = this.#random.below(bytes.length)
    const path = `/api/v1/images/${name}/disk`
    const range = { headers: { range: `bytes=${from}-` } }
    for (const digest of this.#made.get(name) ?? []) {
      const way = digest === this.#made.get(name)?.[0] ? 'manifest' : 'blob'
      same(digest, (await this.#client[way]('HEAD', repository, digest)).status, 200)
    }
    const pulled = await this.#client.blob('GET', repository, layer.digest)
    if (!(await bytesOf(pulled)).equals(layer.bytes)) throw new Error(`${name}: another layer`)
    const rest = await this.#client.ask('GET', path, range)
    if (!(await bytesOf(rest)).equals(bytes.subarray(from))) throw new Error(`${name}: other bytes`)
  }

  #of(name: string): State {
    return this.#states.get(name) ?? absent
  }
}

const upload: Spec = { type: 'Upload' }

function waiting(): Waiting {
  return { phase: 'WaitForUserUpload', spec: upload, sending: null }
}

function phaseOf({ status: { phase } }: Image): string {
  return phase === 'Provisioning' ? 'WaitForUserUpload' : phase
}

function unexpected(name: string, image: Image | null, states: readonly State[]): string {
  const allowed = states.map(({ phase }) => phase).join(' or ')
  return `${name} may only be ${allowed}, but is ${image ? JSON.stringify(image) : 'absent'}`
}
