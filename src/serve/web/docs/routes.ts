import { createHash } from 'node:crypto'
import { Hono } from 'hono'
import { matches } from '../../bytes.ts'
import type { Env, Routes } from '../../context.ts'
import { only } from '../../methods.ts'
import { textAsset, type Assets } from '../assets.ts'
import { encodingFor } from '../encoding.ts'
import { contentPolicy, pageHeaders } from '../policy.ts'
import { describe } from './document.ts'
import { docsPage } from './page.ts'

export type DocsRoutesOptions = {
  /** As served at `/openapi.json`. */
  readonly document: object
  readonly assets: Assets
}

/** `/docs`: the API's document as a page, made when it is asked for the first time. */
export function docsRoutes(options: DocsRoutesOptions): Routes {
  let known: ReturnType<typeof made> | null = null
  const policy = contentPolicy([])
  return new Hono<Env>()
    .get('/docs', async (c) => {
      known ??= made(options)
      const { asset, etag } = await known
      const headers = { ...pageHeaders, 'content-security-policy': policy, vary: 'Accept-Encoding' }
      for (const [name, value] of Object.entries({ ...headers, etag })) c.header(name, value)
      if (matches(c.req.header('if-none-match'), etag.slice(2))) return c.body(null, 304)
      const encoding = encodingFor(c.req.header('accept-encoding'))
      if (encoding !== null) c.header('content-encoding', encoding)
      c.header('content-type', asset.type)
      return c.body(new Uint8Array(await asset.as(encoding)))
    })
    .all('/docs', only('GET', 'HEAD'))
}

/** Its tag is a weak one: it names the text, however that is sent. */
async function made({ document, assets }: DocsRoutesOptions) {
  const described = describe(document)
  const text = (await docsPage({ described, assets: `assets/${assets.version}` })).toString()
  const digest = createHash('sha256').update(text).digest('hex')
  return { asset: textAsset('text/html; charset=utf-8', text), etag: `W/"${digest.slice(0, 32)}"` }
}
