import { brotliDecompressSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Hono } from 'hono'
import { openApiDocument } from '../../../src/serve/api/document.ts'
import type { Env } from '../../../src/serve/context.ts'
import { problem } from '../../../src/serve/problem.ts'
import { curlOf } from '../../../src/serve/web/docs/curl.ts'
import { describe as read } from '../../../src/serve/web/docs/document.ts'
import { exampleOf } from '../../../src/serve/web/docs/example.ts'
import { webRoutes } from '../../../src/serve/web/routes.ts'
import { listening } from './listener-under-test.ts'

const { log } = listening()
const document = openApiDocument('1.2.3')
const routes = new Hono<Env>()
  .use(async (c, next) => {
    c.set('log', log)
    await next()
  })
  .route('/', webRoutes({ version: '1.2.3', gate: null, document }))
  .onError((error, c) => problem(c, error))
const ask = async (headers: Record<string, string> = {}, method = 'GET') =>
  await routes.request('/docs', { method, headers })
const text = await (await ask()).text()
const described = read(document)
const operations = described.groups.flatMap((group) => group.operations)

describe('the document', () => {
  test('says of each call what its caller needs, and how it fails', () => {
    const ids = operations.map(({ operationId }) => operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { operationId, tags, summary, security, responses, ...more } of operations) {
      expect(tags, operationId).toHaveLength(1)
      expect(summary, operationId).toMatch(/^[A-Z].*[^.]$/)
      const needs = more['x-needs']
      if (security.length > 0) expect(Object.keys(responses), operationId).toContain('401')
      else expect(needs, operationId).toMatch(/^(?:nothing|a password or a token)$/)
    }
  })

  test('has an example of each body that its schema takes', () => {
    const bodies = operations.flatMap(({ operationId, requestBody }) =>
      Object.entries(requestBody?.content ?? {}).map(([type, { schema, example }]) => ({
        operationId,
        isShown: !schema || type !== 'application/json' || example !== undefined,
      })),
    )
    expect(bodies.filter(({ isShown }) => !isShown)).toEqual([])
  })
})

describe('the page of the API', () => {
  test('has all calls and all schemas, each at an anchor', () => {
    for (const { operationId, path } of operations) {
      expect(text).toContain(`id="${operationId}"`)
      expect(text).toContain(`<code>${path}</code>`)
    }
    for (const name of Object.keys(described.schemas)) expect(text).toContain(`id="schema-${name}"`)
  })

  test('leads nowhere but to what is there', () => {
    const ids = [...text.matchAll(/\sid="([^"]+)"/g)].map(([, id = '']) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const links = [...text.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link = '']) => link)
    const inside = links.filter((link) => link.startsWith('#')).map((link) => link.slice(1))
    expect(inside.filter((id) => !ids.includes(id))).toEqual([])
    const outside = links.filter((link) => !link.startsWith('#'))
    expect(outside.filter((link) => /^(?:\/|[a-z]+:)/i.test(link))).toEqual([])
  })

  test('needs nothing that its policy does not let it have', async () => {
    const { headers } = await ask()
    const policy = headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(/^default-src 'none'; script-src 'self'/)
    expect(policy).not.toMatch(/unsafe|\*|https?:|data:|blob:/)
    expect(text).not.toMatch(/<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)/)
  })

  test('is sent when it has changed, compressed to who takes it', async () => {
    const { headers } = await ask()
    const etag = headers.get('etag') ?? ''
    const again = await ask({ 'if-none-match': etag })
    expect([again.status, await again.text()]).toEqual([304, ''])
    const brotli = await ask({ 'accept-encoding': 'br' })
    expect(brotli.headers.get('vary')).toBe('Accept-Encoding')
    expect(brotliDecompressSync(await brotli.arrayBuffer()).toString()).toBe(text)
    expect((await ask({}, 'POST')).status).toBe(405)
  })

  test('escapes what the document says', async () => {
    const evil = openApiDocument('<script>alert(1)</script>')
    const other = new Hono<Env>().route(
      '/',
      webRoutes({ version: '1', gate: null, document: evil }),
    )
    expect(await (await other.request('/docs')).text()).not.toContain('<script>alert')
  })
})

describe('an example', () => {
  test('of a schema that is part of itself ends', () => {
    const node = { type: 'object', properties: { next: { $ref: '#/x/Node' } } }
    expect(exampleOf({ $ref: '#/x/Node' }, { Node: node })).toEqual({ next: {} })
  })

  test('is of the type that the schema asks for', () => {
    const schema = z.toJSONSchema(
      z.object({
        a: z.enum(['x', 'y']),
        b: z.array(z.int().min(3)),
        c: z.union([z.boolean(), z.string()]),
      }),
    )
    const { schemas } = read({
      info: { title: '', version: '', description: '' },
      tags: [],
      paths: {},
      components: { schemas: { schema } },
    })
    expect(exampleOf(schemas['schema'] ?? {}, {})).toEqual({ a: 'x', b: [3], c: true })
  })
})

describe('a line', () => {
  test('sends what the call takes, and the token of whom it asks for one', () => {
    const lines = Object.fromEntries(operations.map((each) => [each.operationId, curlOf(each)]))
    expect(lines['listImages']).toBe(
      'curl "$SLIPWAY_URL/api/v1/images" -H "Authorization: Bearer $SLIPWAY_TOKEN"',
    )
    expect(lines['collectGarbage']).toMatch(/-H 'Content-Type: application\/json' -d '\{"dryRun":/)
    expect(lines['upload']).toMatch(/^curl -X PUT ".*" -H '.*' --data-binary @example.iso$/)
    expect(lines['isAlive']).not.toContain('TOKEN')
  })
})
