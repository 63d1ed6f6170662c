import { expect } from 'vitest'
import type { Code } from '../../src/errors.ts'
import { digestOf, type Digest } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import { basic } from './callers.ts'
import {
  startHostileRegistry,
  type Descriptor,
  type HostileRegistry,
  type Lie,
} from './hostile-registry.ts'
import { startNeighbour, type Neighbour, type NeighbourOptions } from './http-neighbour.ts'
import { expectNothing, stagedIn } from './leftovers.ts'
import { get, readiness, type Image, type Source } from './rest.ts'
import { startService, type Service, type Variables } from './service.ts'

/** What the user gives, and what the registry makes of it. Nobody beside the registry and its issuer may see any of it. */
export const login = { username: 'robot', password: 'the+robots+password' }
export const identity = 'the.robots.identity'
export const token = 'a.token.for.the.robot'

const secrets = [
  login.password,
  basic(login.username, login.password).slice('Basic '.length),
  identity,
  Buffer.from(`<token>:${identity}`).toString('base64'),
  token,
]

export type Asked = Source['containerImage']

/** A way to play, and how the import of what it gives has to end. */
export type Row = {
  readonly what: string
  readonly play: (stage: Stage) => string | NonNullable<Asked>
  readonly code: Code
  readonly message: RegExp
  /** It is tried again before it is given up; at once given up unless said so. */
  readonly again?: true
}

export function source(image: string | NonNullable<Asked>): Source {
  const containerImage = typeof image === 'string' ? { image, auth: login } : image
  return { type: 'ContainerImage', containerImage }
}

/** A service that logs all it knows, and does not try for long. */
export async function startTold(variables: Variables): Promise<Service> {
  return await startService({
    SLIPWAY_LOG_LEVEL: 'trace',
    SLIPWAY_IMPORT_RETRY_FOR: '1s',
    ...variables,
  })
}

/** A registry that takes a token, which is issued for the user's login, and two more servers. */
export async function openStage(options: NeighbourOptions = {}): Promise<Stage> {
  const [registry, issuer, elsewhere] = await Promise.all([
    startHostileRegistry(options),
    startNeighbour(),
    startNeighbour(),
  ])
  return new Stage(registry, issuer, elsewhere)
}

export class Stage implements AsyncDisposable {
  readonly registry: HostileRegistry
  /** Issues tokens where a test says so. */
  readonly issuer: Neighbour
  /** Another origin, which no credentials are for. */
  readonly elsewhere: Neighbour

  constructor(registry: HostileRegistry, issuer: Neighbour, elsewhere: Neighbour) {
    this.registry = registry
    this.issuer = issuer
    this.elsewhere = elsewhere
    registry.demandToken({ token })
  }

  /** Everybody's connections are closed, and nothing was told to those that it was not for. */
  async expectQuiet(): Promise<void> {
    await Promise.all(
      [this.registry.neighbour, this.issuer, this.elsewhere].map((one) => one.idle()),
    )
    const told = this.elsewhere.requests.map(({ path, headers, form }) => ({ path, headers, form }))
    expect(told.filter(({ headers }) => headers.authorization !== undefined)).toEqual([])
    expectUntold(JSON.stringify(told))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [this.registry, this.issuer, this.elsewhere]
    await Promise.all(all.map((one) => one[Symbol.asyncDispose]()))
  }
}

/** However often it is sent around, and twice over. */
const mostRequests = 40

/** An import ends as it has to, says so, and leaves nothing. */
export async function expectFailed(
  service: Service,
  row: Row,
  options: NeighbourOptions = {},
): Promise<void> {
  await using stage = await openStage(options)
  const before = service.logs.lines.length
  await during(service, source(row.play(stage)), async () => {
    const image = await ended(service)
    expect(image.status.phase).toBe('Failed')
    expect(readiness(image)).toMatchObject({
      status: 'False',
      reason: 'ProvisioningFailedTerminally',
      message: expect.stringMatching(row.message),
    })
    const said = await service.logs.line(({ msg }) => msg === 'import failed', before)
    expect(said).toMatchObject({ image: name, code: row.code })
    expect(image.status.retries ?? 0).toBe(row.again ? 1 : 0)
    expect(await stagedIn(service.folder)).toEqual([])
    expectUntold(JSON.stringify(image))
    expectUntold(service.logs.toString())
  })
  await stage.expectQuiet()
  expect(stage.registry.requests.length).toBeLessThan(mostRequests)
  if (row.code === 'SOURCE_FORBIDDEN') expect(stage.elsewhere.requests).toEqual([])
}

/** An import gets the disk after all, and nobody learned more than was for them. */
export async function expectDisk(
  service: Service,
  play: Row['play'],
  disk: Buffer,
  then: (stage: Stage) => void = () => {},
): Promise<void> {
  await using stage = await openStage()
  await during(service, source(play(stage)), async () => {
    expectUntold(JSON.stringify(await service.rest.ready(name)))
    await expectBytes(service, disk)
    expectUntold(service.logs.toString())
    then(stage)
  })
  await stage.expectQuiet()
}

/** The phase in which an import ends, and nothing but this disk when it is Ready. */
export async function phaseOf(service: Service, play: Row['play'], disk: Buffer): Promise<string> {
  await using stage = await openStage()
  return await during(service, source(play(stage)), async () => {
    const { status } = await ended(service)
    if (status.phase === 'Ready') await expectBytes(service, disk)
    return status.phase
  })
}

const name = 'hostile'

/** What goes wrong here leaves nothing to the next test. */
async function during<Value>(
  { rest, folder }: Service,
  dataSource: Source,
  check: () => Promise<Value>,
): Promise<Value> {
  await rest.create(name, dataSource)
  try {
    return await check()
  } finally {
    await rest.delete(name)
    await expectNothing(folder)
  }
}

async function ended({ rest }: Service): Promise<Image> {
  return await rest.until(name, ({ status }) => ['Ready', 'Failed'].includes(status.phase))
}

async function expectBytes({ rest }: Service, disk: Buffer): Promise<void> {
  const read = await get(rest.url(`/${name}/disk`))
  expect(Buffer.from(await read.arrayBuffer()).equals(disk), 'the bytes of the disk').toBe(true)
}

function expectUntold(text: string): void {
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([])
}

export type Told = {
  /** What was told of the layer, where that is not the truth. */
  readonly layer?: Partial<Descriptor> & { readonly urls?: readonly string[] }
  readonly diffIds?: readonly Digest[]
  readonly lie?: Lie
}

/** An image of one layer, which is stored as `blob` and is `tar` once it is unpacked. */
export function oneLayer(
  { registry }: Stage,
  blob: Buffer,
  tar: Buffer = blob,
  { layer = {}, diffIds = [digestOf(tar)], lie }: Told = {},
): string {
  const rootfs = { type: 'layers', diff_ids: diffIds }
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs }))
  registry.manifest('1', {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { ...registry.blob(config), mediaType: mediaTypes.config },
    layers: [{ ...registry.blob(blob, lie), ...layer }],
  })
  return registry.reference('1')
}
