import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import type { Env } from '../../../src/serve/context.ts'
import { problem } from '../../../src/serve/problem.ts'
import { webRoutes } from '../../../src/serve/web/routes.ts'
import { listening } from './listener-under-test.ts'

const { log } = listening()
const routes = new Hono<Env>()
  .use(async (c, next) => {
    c.set('log', log)
    await next()
  })
  .route('/', webRoutes({ version: '1.2.3', gate: null, document: {} }))
  .onError((error, c) => problem(c, error))

const ask = async (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  await routes.request(path, { method, headers })
const text = await (await ask('/')).text()
const [, entry = ''] = /src="(assets\/[0-9a-f]{16}\/page\/main\.js)"/.exec(text) ?? []

describe('the page', () => {
  test('names nothing but what lies below it, and loads all of that', async () => {
    const named = [...text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path = '']) => path)
    expect(named).toContain(entry)
    expect(named.filter((path) => /^(?:\/|[a-z]+:)/i.test(path))).toEqual([])
    const assets = named.filter((path) => path !== 'docs')
    for (const path of assets) expect((await ask(`/${path}`)).status, path).toBe(200)
    expect(assets.length).toBeGreaterThan(20)
  })

  test('may run its own scripts, and none that stands in it but the import map', async () => {
    const { headers } = await ask('/')
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(/^default-src 'none'; script-src 'self' 'sha256-[^']+';/)
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:|blob:/)
    expect(text.match(/<script(?![^>]*src=)/g)).toHaveLength(1)
    expect(text).not.toMatch(/<style|\sstyle=|\son[a-z]+=/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
  })

  test('is kept apart from others that open it, where it comes encrypted', async () => {
    const opener = async (url: string, headers = {}) =>
      (await ask(url, headers)).headers.get('cross-origin-opener-policy')
    expect(await opener('http://a.example.com/')).toBeNull()
    expect(await opener('https://a.example.com/')).toBe('same-origin')
    expect(await opener('/', { 'x-forwarded-proto': 'https' })).toBe('same-origin')
  })

  test('is asked for again each time, and sent when it is another one', async () => {
    const { headers } = await ask('/')
    expect(headers.get('cache-control')).toBe('no-cache')
    const etag = headers.get('etag') ?? ''
    const again = await ask('/', { 'if-none-match': etag })
    expect([again.status, await again.text()]).toEqual([304, ''])
    expect((await ask('/', { 'if-none-match': '"another"' })).status).toBe(200)
  })

  test('has a head without a body, and takes nothing', async () => {
    const head = await ask('/', {}, 'HEAD')
    expect([head.status, await head.text()]).toEqual([200, ''])
    const post = await ask('/', {}, 'POST')
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  test('says what to do to who runs no scripts', () => {
    expect(text).toMatch(/<noscript>[^]*href="docs"[^]*<\/noscript>/)
  })
})

describe('an asset', () => {
  const plain = async () => await (await ask(`/${entry}`)).text()
  const coded = async (accepted: string) => {
    const answer = await ask(`/${entry}`, { 'accept-encoding': accepted })
    return { coding: answer.headers.get('content-encoding'), body: await answer.arrayBuffer() }
  }

  test('stays as it is under its address, whoever keeps it', async () => {
    const { headers } = await ask(`/${entry}`)
    expect(headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('vary')).toBe('Accept-Encoding')
  })

  test('comes compressed to who takes it', async () => {
    const brotli = await coded('gzip, deflate, br, zstd')
    expect(brotli.coding).toBe('br')
    expect(brotliDecompressSync(brotli.body).toString()).toBe(await plain())
    const gzip = await coded('gzip, deflate')
    expect(gzip.coding).toBe('gzip')
    expect(gunzipSync(gzip.body).toString()).toBe(await plain())
  })

  test.each([
    ['', null],
    ['identity', null],
    ['br;q=0, gzip;q=0', null],
    ['br;q=0, gzip', 'gzip'],
    ['BR;q=0.1', 'br'],
    ['*', 'br'],
    ['*, br;q=0', 'gzip'],
    ['*;q=0', null],
    ['brotli', null],
    ['gzip;q=nonsense', null],
  ])('goes to who accepts "%s" as %s', async (accepted, coding) => {
    expect((await coded(accepted)).coding).toBe(coding)
  })

  test.each([
    ['of another version', '/assets/0123456789abcdef/page/main.js'],
    ['that there is not', `/${entry.replace('main.js', 'none.js')}`],
    ['outside the folder', `/${entry.replace('main.js', '..%2f..%2fpage.ts')}`],
    ['of types alone', `/${entry.replace('page/main.js', 'lit-html/lit-html.d.ts')}`],
    [
      'of a package that the page does not use',
      `/${entry.replace('page/main.js', 'hono/index.js')}`,
    ],
  ])('%s is not found', async (_, path) => {
    const answer = await ask(path)
    expect(answer.status).toBe(404)
    expect(await answer.text()).toContain('load the page anew')
  })

  test('is asked for, not sent', async () => {
    const head = await ask(`/${entry}`, {}, 'HEAD')
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect((await ask(`/${entry}`, {}, 'DELETE')).status).toBe(405)
  })
})
