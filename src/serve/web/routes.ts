import { Hono } from 'hono'
import { Refusal } from '../../errors.ts'
import type { Call, Env, Routes } from '../context.ts'
import { only, shownPath } from '../methods.ts'
import { Assets, type Asset } from './assets.ts'
import { page } from './page.ts'
import { contentPolicy, plainHeaders } from './policy.ts'

export type WebOptions = {
  readonly version: string
  readonly gate: unknown
}

/** `/`: the page for people, and what it loads. It has no secret, and asks the API as anybody does. */
export function webRoutes({ version, gate }: WebOptions): Routes {
  const assets = Assets.load()
  const importMap = assets.importMap()
  const policy = contentPolicy([importMap])
  const shell = page({
    version,
    assets: `assets/${assets.version}`,
    importMap,
    asksForCallers: gate !== null,
  })
  return new Hono<Env>()
    .get('/', async (c) => {
      lay(c, plainHeaders)
      c.header('content-security-policy', policy)
      c.header('cross-origin-opener-policy', 'same-origin')
      c.header('cache-control', 'no-cache')
      return c.html(await shell)
    })
    .get('/assets/:version/*', async (c) => {
      const path = c.req.path.slice(`/assets/${c.req.param('version')}/`.length)
      const asset = c.req.param('version') === assets.version ? assets.at(path) : null
      if (!asset)
        throw new Refusal('NOT_FOUND', `there is no ${shownPath(c.req.path)}; load the page anew`)
      return await sent(c, asset)
    })
    .all('/', only('GET', 'HEAD'))
    .all('/assets/*', only('GET', 'HEAD'))
}

/** Its path has the version of all, so it stays what it is. */
async function sent(c: Call, asset: Asset): Promise<Response> {
  lay(c, { ...plainHeaders, 'content-type': asset.type, vary: 'Accept-Encoding' })
  c.header('cache-control', 'public, max-age=31536000, immutable')
  if (!/\bbr\b/.test(c.req.header('accept-encoding') ?? '')) return c.body(viewOf(asset.bytes))
  c.header('content-encoding', 'br')
  return c.body(viewOf(await asset.brotli()))
}

function viewOf(bytes: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

function lay(c: Call, headers: { readonly [name: string]: string }): void {
  for (const [name, value] of Object.entries(headers)) c.header(name, value)
}
