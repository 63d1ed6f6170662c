import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { Refusal } from '../../errors.ts'
import { matches } from '../bytes.ts'
import type { Call, Env, Routes } from '../context.ts'
import { only, shownPath } from '../methods.ts'
import { Assets, type Asset } from './assets.ts'
import { docsRoutes } from './docs/routes.ts'
import { encodingFor } from './encoding.ts'
import { page } from './page.ts'
import { contentPolicy, pageHeaders, plainHeaders } from './policy.ts'

export type WebOptions = {
  readonly version: string
  readonly gate: unknown
  /** As served at `/openapi.json`. */
  readonly document: object
}

/** `/`: the page for people, and what it loads. It has no secret, and asks the API as anybody does. */
export function webRoutes({ version, gate, document }: WebOptions): Routes {
  const assets = Assets.load()
  const { modules } = assets
  const importMap = assets.importMap()
  const policy = contentPolicy([importMap])
  const shell = tagged(
    page({
      version,
      assets: `assets/${assets.version}`,
      importMap,
      modules,
      asksForCallers: gate !== null,
    }),
  )
  return new Hono<Env>()
    .get('/', async (c) => {
      const { text, etag } = await shell
      lay(c, { ...pageHeaders, 'content-security-policy': policy, etag })
      if (isEncrypted(c)) c.header('cross-origin-opener-policy', 'same-origin')
      return matches(c.req.header('if-none-match'), etag) ? c.body(null, 304) : c.html(text)
    })
    .get('/assets/:version/*', async (c) => {
      const path = c.req.path.slice(`/assets/${c.req.param('version')}/`.length)
      const asset = c.req.param('version') === assets.version ? assets.at(path) : null
      if (!asset)
        throw new Refusal('NOT_FOUND', `there is no ${shownPath(c.req.path)}; load the page anew`)
      return await sent(c, asset)
    })
    .route('/', docsRoutes({ document, assets }))
    .all('/', only('GET', 'HEAD'))
    .all('/assets/*', only('GET', 'HEAD'))
}

async function tagged(shell: ReturnType<typeof page>) {
  const text = (await shell).toString()
  return { text, etag: `"${createHash('sha256').update(text).digest('hex').slice(0, 32)}"` }
}

/** Its path has the version of all, so it stays what it is. */
async function sent(c: Call, asset: Asset): Promise<Response> {
  lay(c, { ...plainHeaders, 'content-type': asset.type, vary: 'Accept-Encoding' })
  c.header('cache-control', 'public, max-age=31536000, immutable')
  const encoding = encodingFor(c.req.header('accept-encoding'))
  if (encoding !== null) c.header('content-encoding', encoding)
  return c.body(new Uint8Array(await asset.as(encoding)))
}

/** Browsers complain about some headers of pages that come without TLS. A proxy's word harms nobody here. */
function isEncrypted(c: Call): boolean {
  return c.req.url.startsWith('https:') || c.req.header('x-forwarded-proto') === 'https'
}

function lay(c: Call, headers: { readonly [name: string]: string }): void {
  for (const [name, value] of Object.entries(headers)) c.header(name, value)
}
