import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { openService } from '../../src/app.ts'
import { readSettings } from '../../src/env.ts'
import { openLog } from '../../src/log.ts'
import { openApiDocument } from '../../src/serve/api/document.ts'
import { curlOf } from '../../src/serve/web/docs/curl.ts'
import { routeOf } from '../../src/serve/route.ts'
import { describe as read } from '../../src/serve/web/docs/document.ts'
import { writeCallers } from '../support/callers.ts'
import { startService } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

const { groups } = read(openApiDocument('1'))
const operations = groups.flatMap((group) => group.operations)
const documented = operations.map(({ method, path }) => `${method} ${path}`)

/** The calls that a service takes, as the document writes them. The registry takes its paths apart by itself. */
async function served(): Promise<readonly string[]> {
  await using folder = await temporaryFolder()
  const { tokens } = await writeCallers(folder.path)
  const { settings } = readSettings({
    SLIPWAY_LISTEN: '127.0.0.1:0',
    SLIPWAY_DATA_DIR: join(folder.path, 'data'),
    SLIPWAY_TOKENS_FILE: tokens,
  })
  if (!settings) throw new Error('the settings of this test are wrong')
  const service = await openService(settings, openLog({ level: 'silent', format: 'json' }))
  await service.stop()
  const calls = service.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  return [...new Set(calls)].map((call) => call.replace(/\/\*$/, '/{path}'))
}

describe('the document', () => {
  test('has every call that the service takes, and no other', async () => {
    const all = new Set(await served())
    const isRegistry = (call: string) => / \/v2(?:\/|$)/.test(call)
    expect([...all].filter((call) => !isRegistry(call) && !documented.includes(call))).toEqual([])
    const known = documented.filter((call) => !isRegistry(call) && !call.startsWith('HEAD '))
    expect(known.filter((call) => !all.has(call))).toEqual([])
  })

  test('has the names by which metrics, logs and traces tell of each call', async () => {
    const all = [...(await served()), ...documented].map((call) => call.split(' ').at(-1) ?? '')
    const templates = [...new Set(all)].filter((path) => path !== '/v2/{path}')
    expect(templates.length).toBeGreaterThan(30)
    const named = templates.map((path) => routeOf(path.replaceAll(/\{\w+\}/g, 'x')))
    expect(named).toEqual(templates)
  })

  test('has the methods that the registry takes', async () => {
    await using service = await startService()
    const inRegistry = operations.filter(({ path }) => path.startsWith('/v2'))
    for (const operation of inRegistry) {
      const url = /"\$SLIPWAY_URL([^"]*)"/.exec(curlOf(operation))?.[1] ?? ''
      const { headers } = await fetch(`${service.base}${url}`, { method: 'PROPFIND' })
      const allowed = z.string().parse(headers.get('allow')).split(', ')
      const told = inRegistry.filter(({ path }) => path === operation.path)
      const methods = new Set(told.map(({ method }) => method))
      expect(new Set(allowed.filter((method) => method !== 'HEAD')), url).toEqual(methods)
    }
  })
})
