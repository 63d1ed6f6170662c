import { copyFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { expect } from 'vitest'
import { Catalog } from '../../src/catalog/catalog.ts'
import { identityKey } from '../../src/work/copy-mark.ts'
import type { Trial } from '../faults/trial.ts'
import { disk } from './disks.ts'
import { killCommand, type Moment } from './killed-command.ts'
import type { Ground } from './kills.ts'
import { rowsOf, slipway } from './lost-catalog.ts'
import { age, contentsOf, expectSound } from './model-store.ts'
import { writeOldCatalog } from './old-catalogs.ts'
import type { Random } from './random.ts'
import { get, send } from './rest.ts'
import { startService, type Service, type Variables } from './service.ts'
import { put, putImage } from './store-pairs.ts'
import { temporaryFolder } from './temporary.ts'

/** Pushed images that the commands have to do with. */
const pushed = 40
/** Blobs that a crash has left, for the collection. */
const left = 100
const bytes = disk(307_200, 9)
/** Milliseconds of a command that was not run yet. */
const unknown = 500
const catalogFile = 'catalog.sqlite'
/** The first schema whose catalogs say which store they belong to. */
const withIdentity = 4

export type CommandGround = Ground & {
  /** The store of a data folder as `copy-store` names it. */
  readonly place: (folder: string) => string
}

/**
 * The data folder of a service that does not run, and the program's commands on it, each killed at some moment and then run
 * to its end.
 */
export class CommandKills implements AsyncDisposable {
  readonly #trial: Trial
  readonly #ground: CommandGround
  readonly #service: Service
  /** For what is not in the data folder. */
  readonly #aside: string
  readonly #variables: Variables
  readonly #held: AsyncDisposableStack
  #rows: unknown
  #contents: unknown
  /** What says to which catalog the store belongs. */
  #identity: Uint8Array | null = null
  /** Milliseconds of a whole run, by command. */
  readonly #takes = new Map<string, number>()

  private constructor(
    trial: Trial,
    ground: CommandGround,
    service: Service,
    aside: string,
    variables: Variables,
    held: AsyncDisposableStack,
  ) {
    this.#trial = trial
    this.#ground = ground
    this.#service = service
    this.#aside = aside
    this.#variables = variables
    this.#held = held
  }

  static async open(trial: Trial, ground: CommandGround): Promise<CommandKills> {
    await using held = new AsyncDisposableStack()
    const { path } = held.use(await temporaryFolder())
    const variables = { ...ground.variables, NODE_COMPILE_CACHE: join(path, 'compiled') }
    const service = held.use(await startService(variables))
    await fill(service, ground)
    const kills = new CommandKills(trial, ground, service, path, variables, held.move())
    await kills.#learn()
    return kills
  }

  /** What is in the catalog and the store, once a rebuild has seen it, which stays so whatever is killed. */
  async #learn(): Promise<void> {
    const { folder } = this.#service
    await this.#dropCatalog()
    await this.#complete(['rebuild'])
    this.#rows = rowsOf(folder)
    await copyFile(join(folder, catalogFile), this.#at('sound.sqlite'))
    await this.#look(async (store) => {
      this.#contents = await contentsOf(store)
      this.#identity = await store.records.read(identityKey)
    })
  }

  /** The catalog is gone, or is none any more. */
  async rebuild(random: Random): Promise<void> {
    await this.#dropCatalog()
    if (random.below(3) === 0) await writeFile(this.#catalog, Buffer.alloc(40_000, 'garbage'))
    await this.#kill(['rebuild'], random)
    await this.#complete(['rebuild'])
    const { folder } = this.#service
    const aside = (await readdir(folder)).filter((name) => name.includes('damaged-'))
    await Promise.all(aside.map((name) => rm(join(folder, name))))
    await this.#expectAll()
  }

  /** A catalog of an earlier version. @param count how many migrations that version had */
  async migrate(random: Random, count: number): Promise<void> {
    const old = this.#at(`old-${count}.sqlite`)
    await rm(old, { force: true })
    await writeOldCatalog(this.#at('sound.sqlite'), old, count)
    await this.#replaceCatalog(old, count < withIdentity ? null : this.#identity)
    const moment = { after: random.below(200), wrote: this.#service.folder }
    await this.#count(['serve'], moment)
    // The same program goes on where that one was.
    await (await Catalog.open({ path: this.#catalog, now: Date.now }))[Symbol.asyncDispose]()
    await (await Catalog.open({ path: old, now: Date.now }))[Symbol.asyncDispose]()
    expectCatalog(this.#catalog, old)
    await rm(old)
    await this.#serveOnce()
    await this.#replaceCatalog(this.#at('sound.sqlite'), this.#identity)
  }

  /** What a crash has left goes, and nothing else. */
  async gc(random: Random): Promise<void> {
    await this.#look(async (store) => {
      for (let n = 0; n < left; n += 1) await put(store, Buffer.from(`${random.below(2 ** 31)}`))
    })
    const { folder } = this.#service
    await age(folder, this.#ground.stored(folder))
    await this.#kill(['gc'], random)
    await this.#complete(['gc'])
    await this.#expectAll()
  }

  async scrub(random: Random): Promise<void> {
    await this.#kill(['scrub'], random)
    await this.#complete(['scrub'])
    await this.#expectAll()
  }

  /** The file has its name when it is whole, or not at all. */
  async backup(random: Random): Promise<void> {
    const file = this.#at('backup')
    await this.#kill(['backup', file, '--force'], random)
    if ((await readdir(this.#aside)).includes('backup')) expectCatalog(file, this.#catalog)
    await this.#complete(['backup', file, '--force'])
    expectCatalog(file, this.#catalog)
    const names = (await readdir(this.#aside)).filter((name) => name.startsWith('backup'))
    await Promise.all(names.map((name) => rm(this.#at(name))))
    await this.#expectAll()
  }

  /** What was copied is there, whole; run again, it goes on. @param ground where to */
  async copyStore(random: Random, ground: CommandGround): Promise<void> {
    const to = this.#at(`copy-${random.below(2 ** 31)}`)
    const [from, place] = [this.#ground.place(this.#service.folder), ground.place(to)]
    const args = ['--from', from, '--to', place]
    await this.#kill(['copy-store', ...args], random, ground.variables)
    await this.#complete(['copy-store', ...args], ground.variables)
    await this.#expectSame(to, ground)
    await rm(ground.stored(to), { recursive: true })
    await rm(to, { recursive: true, force: true })
    await this.#expectAll()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }

  get #catalog(): string {
    return join(this.#service.folder, catalogFile)
  }

  #at(name: string): string {
    return join(this.#aside, name)
  }

  /** Once or several times. @param more variables of this command alone */
  async #kill(
    args: readonly [string, ...string[]],
    random: Random,
    more: Variables = {},
  ): Promise<void> {
    do {
      const takes = this.#takes.get(args[0]) ?? unknown
      // At first it is loaded.
      const after = Math.round(takes * (0.3 + random.below(1000) / 1300))
      const how = await this.#count(args, { after }, more)
      if (how === 'ended') this.#takes.set(args[0], takes * 0.7)
    } while (random.below(2) === 0)
  }

  async #count(args: readonly string[], moment: Moment, more: Variables = {}) {
    const variables = { ...more, ...this.#variables }
    const how = await killCommand(this.#service.folder, args, variables, moment)
    if (how === 'killed') this.#trial.tried += 1
    else this.#trial.note('ended before')
    return how
  }

  async #complete(args: readonly [string, ...string[]], more: Variables = {}): Promise<void> {
    const began = performance.now()
    const variables = { ...more, ...this.#variables }
    const { code, stderr } = await slipway(this.#service.folder, args, variables)
    expect(code, `slipway ${args.join(' ')}: ${stderr}`).toBe(0)
    this.#takes.set(args[0], performance.now() - began)
  }

  async #dropCatalog(): Promise<void> {
    const { folder } = this.#service
    const names = (await readdir(folder)).filter((name) => name.startsWith(catalogFile))
    await Promise.all(names.map((name) => rm(join(folder, name))))
  }

  /** @param identity what the store knows its catalog by, null for a store of before that was written */
  async #replaceCatalog(path: string, identity: Uint8Array | null): Promise<void> {
    await this.#dropCatalog()
    await copyFile(path, this.#catalog)
    await this.#look(async ({ records }) => {
      if (identity) await records.put(identityKey, identity)
      else await records.remove(identityKey)
    })
  }

  async #serveOnce(): Promise<void> {
    await this.#service.start()
    const answer = await get(this.#service.rest.url('/kept/disk'))
    expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
    await this.#service.stop()
  }

  async #expectAll(): Promise<void> {
    expect(rowsOf(this.#service.folder)).toEqual(this.#rows)
    await this.#expectSame(this.#service.folder, this.#ground)
  }

  async #expectSame(folder: string, ground: Ground): Promise<void> {
    await using store = await ground.open(folder)
    expect(await contentsOf(store)).toEqual(this.#contents)
    await expectSound(store)
  }

  async #look(work: (store: Awaited<ReturnType<Ground['open']>>) => Promise<void>) {
    await using store = await this.#ground.open(this.#service.folder)
    await work(store)
  }
}

async function fill(service: Service, ground: Ground): Promise<void> {
  for (const [name, content] of [['kept', bytes] as const, ['other', disk(20_480)] as const]) {
    expect((await send(await service.rest.createUpload(name), content)).status).toBe(201)
  }
  await service.stop()
  await using store = await ground.open(service.folder)
  for (let n = 0; n < pushed; n += 1) await putImage(store, `t${n}`)
}

/** One catalog has all that another one has; what each says of itself does not count. */
function expectCatalog(copy: string, of: string): void {
  const tables = (path: string) => ({ ...tablesOf(path), facts: null })
  expect(tables(copy)).toEqual(tables(of))
}

/** All rows of all tables, but for when a migration was run. @throws Error when the file is damaged */
function tablesOf(path: string): { readonly [table: string]: readonly unknown[] } {
  const database = new Sqlite(path, { readonly: true })
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
    const names = database
      .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite%'")
      .pluck()
      .all()
      .map(String)
    const all = (name: string) =>
      database.prepare(`select * from "${name}"`).all().map(withoutTime).toSorted(byText)
    return Object.fromEntries(names.map((name) => [name, all(name)]))
  } finally {
    database.close()
  }
}

function withoutTime(row: unknown): string {
  return JSON.stringify(row).replace(/"timestamp":"[^"]*"/, '')
}

function byText(left: string, right: string): number {
  return left < right ? -1 : 1
}
