import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { noise } from '../fixtures/noise.ts'
import { tokenLine, tokenOf } from './callers.ts'
import { clientHome, hostOf, said, type Home } from './clients.ts'
import { startTap, type Tap } from './clients-tap.ts'
import { disk, mebibyte } from './disks.ts'
import { needs } from './programs.ts'
import { send } from './rest.ts'
import { startService, type Variables } from './service.ts'
import { run, type Ended } from './shell.ts'

/** A name, and the token or password that goes with it. */
export type Account = { readonly name: string; readonly secret: string }

export const accounts = {
  editor: { name: 'editor', secret: tokenOf('editor') },
  viewer: { name: 'viewer', secret: tokenOf('viewer') },
  puller: { name: 'puller', secret: 'of the cluster' },
} as const satisfies { readonly [role: string]: Account }

/** Bytes of what a client pushes, at least: more than all else that it sends. */
export const ownSize = 64 * 1024

/** The files of it. */
export const own = { noise: noise(2 * ownSize) }

function bytesOf({ overheard }: Tap): number {
  return overheard.reduce((sum, { sent }) => sum + sent, 0)
}

/** An image that was uploaded, and may be pulled by everyone with credentials. */
export const shared = 'cvi/shared:latest'

/** Files with these accounts, as settings. */
export async function callers(home: Home): Promise<Variables> {
  const { editor, viewer, puller } = accounts
  const lines = [editor, viewer].map(({ name, secret }) => tokenLine(name, name, secret))
  await writeFile(home.at('tokens'), lines.join(''))
  await writeFile(home.at('htpasswd'), await run('htpasswd', ['-nbB', puller.name, puller.secret]))
  return {
    SLIPWAY_TOKENS_FILE: home.at('tokens'),
    SLIPWAY_HTPASSWD_FILE: home.at('htpasswd'),
  }
}

export type Guarded = AsyncDisposable & { readonly host: string }

/** A service with an editor and a viewer by token, a puller by password, and an image. */
export async function startGuarded(variables: Variables = {}): Promise<Guarded> {
  await using stack = new AsyncDisposableStack()
  const home = stack.use(await clientHome())
  const service = stack.use(await startService({ ...(await callers(home)), ...variables }))
  const url = await service.rest.as(accounts.editor.secret).createUpload('shared')
  expect((await send(url, disk(mebibyte))).status).toBe(201)
  const held = stack.move()
  return { host: hostOf(service.base), [Symbol.asyncDispose]: () => held.disposeAsync() }
}

/** A client, as far as credentials matter. */
export type Hand = {
  readonly name: string
  /** Keeps the credentials in the home, asking or not; null for a client that shows them with each call. */
  readonly login: ((home: Home, host: string, account: Account) => Promise<Ended>) | null
  /** Pushes an image of its own. */
  readonly push: (home: Home, reference: string, account: Account | null) => Promise<Ended>
  readonly pull: (home: Home, reference: string, account: Account | null) => Promise<Ended>
  /** From one repository to another, after `push` and `pull` of the first. */
  readonly copy: (home: Home, from: string, to: string, account: Account) => Promise<Ended>
  /** What it says when the caller may not push: the service's own words, if it shows them. */
  readonly denied: RegExp
  /** What it says when nobody may push there. */
  readonly ingested: RegExp
}

export function canGuard(): boolean {
  return needs('htpasswd', 'apt-get install apache2-utils')
}

/** What every client does where there are credentials. */
export function expectAccess(hand: Hand, prepare: (home: Home) => Promise<void>): void {
  const resources = new AsyncDisposableStack()
  let host: string
  let open: string
  const failed = expect.not.objectContaining({ code: 0 })

  async function known(account: Account, at = host): Promise<Home> {
    const home = resources.use(await clientHome())
    await prepare(home)
    if (hand.login) expect(await hand.login(home, at, account)).toMatchObject({ code: 0 })
    return home
  }

  describe(`${hand.name}, where there are credentials`, () => {
    beforeAll(async () => {
      ;({ host } = resources.use(await startGuarded()))
      ;({ host: open } = resources.use(await startGuarded({ SLIPWAY_ANONYMOUS_PULL: 'true' })))
    })
    afterAll(() => resources.disposeAsync())

    test.each(['Bearer', 'Basic'])(
      'works as an editor by %s, and sends a layer once',
      async (scheme) => {
        await using tap = await startTap(`http://${host}`, { scheme })
        const there = hostOf(tap.base)
        const account = accounts.editor
        const home = await known(account, there)
        const first = `${there}/${hand.name}/first-${scheme.toLowerCase()}:1`
        const second = `${there}/${hand.name}/second-${scheme.toLowerCase()}:1`
        const well = { code: 0 }
        expect(await hand.pull(home, `${there}/${shared}`, account)).toMatchObject(well)
        expect(await hand.push(home, first, account)).toMatchObject(well)
        expect(await hand.pull(home, first, account)).toMatchObject(well)
        expect(bytesOf(tap)).toBeGreaterThan(ownSize)
        const before = bytesOf(tap)
        expect(await hand.copy(home, first, second, account)).toMatchObject(well)
        expect(bytesOf(tap) - before).toBeLessThan(ownSize)
        expect(await hand.pull(home, second, account)).toMatchObject(well)
        expect(tap.overheard.at(-1)?.scheme).toBe(scheme)
      },
    )

    test.each([accounts.viewer, accounts.puller])(
      'pulls as $name, and says why it may not push',
      async (account) => {
        const home = await known(account)
        expect(await hand.pull(home, `${host}/${shared}`, account)).toMatchObject({ code: 0 })
        const ended = await hand.push(home, `${host}/${hand.name}/own:2`, account)
        expect(ended).toEqual(failed)
        expect(said(ended)).toMatch(hand.denied)
      },
    )

    test.each(Object.values(accounts))('does not push over an image as $name', async (account) => {
      const home = await known(account)
      const ended = await hand.push(home, `${host}/${shared}`, account)
      expect(ended).toEqual(failed)
      expect(said(ended)).toMatch(account === accounts.editor ? hand.ingested : hand.denied)
    })

    test('does neither with another password, or none', async () => {
      const wrong = { ...accounts.puller, secret: 'guessed' }
      for (const account of [wrong, null]) {
        const home = resources.use(await clientHome())
        await prepare(home)
        if (account) await hand.login?.(home, host, account)
        expect(await hand.pull(home, `${host}/${shared}`, account)).toEqual(failed)
        expect(await hand.push(home, `${host}/${hand.name}/own:3`, account)).toEqual(failed)
      }
    })

    test('pulls without credentials where that is said, and does not push', async () => {
      const home = resources.use(await clientHome())
      await prepare(home)
      expect(await hand.pull(home, `${open}/${shared}`, null)).toMatchObject({ code: 0 })
      expect(await hand.push(home, `${open}/${hand.name}/own:1`, null)).toEqual(failed)
    })
  })
}
