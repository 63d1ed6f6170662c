import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { buildConnector } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { asFailure } from '../../../src/errors.ts'
import { compileRules } from '../../../src/source/address-rules.ts'
import type { HttpOptions } from '../../../src/source/http.ts'
import { compileProxies } from '../../../src/source/proxies.ts'
import type { Lookup } from '../../../src/source/resolve.ts'
import { open } from './visits.ts'
import { names, spellings, type Spelling } from './spellings.ts'

/** Where the redirects come from: the only address of this machine that is permitted. */
const host = '127.0.0.3'
const rules = compileRules({ deny: [], allow: [host] })

/** Somebody who listens on loopback, and should never hear anything. */
class Listener {
  accepted = 0
  readonly #servers: Server[] = []

  async listen(): Promise<number> {
    const port = await this.#at('127.0.0.1', 0)
    await this.#at('::1', port)
    return port
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }

  async #at(address: string, port: number): Promise<number> {
    const server = createServer((socket) => {
      this.accepted += 1
      socket.destroy()
    })
    this.#servers.push(server)
    server.listen(port, address)
    await once(server, 'listening')
    return portOf(server)
  }
}

function portOf(server: Server): number {
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}

/** Notes what it is asked to open; to this machine it does connect, to any other it says that nobody is there. */
function recorder() {
  const opened: string[] = []
  const real = buildConnector({})
  const isHere = /^(?:127\.|0|::1?$|::ffff:(?:127|7f)|localhost)/
  const connector: buildConnector.connector = (target, callback) => {
    opened.push(target.hostname)
    if (isHere.test(target.hostname)) return real(target, callback)
    return callback(Object.assign(new Error('nobody'), { code: 'ECONNREFUSED' }), null)
  }
  return { opened, connector }
}

/** A resolver whose answers change from one look-up to the next. */
function resolver() {
  const asked: string[] = []
  const lookup: Lookup = async (name) => {
    const answers = names[name] ?? names[name.replace(/\.$/, '')] ?? []
    const nth = asked.filter((other) => other === name).length
    asked.push(name)
    return (answers[Math.min(nth, answers.length - 1)] ?? []).map((address) => ({ address }))
  }
  return { asked, lookup }
}

const listener = new Listener()
let port: number
const redirects = { url: '', to: '', server: createServer() }

beforeAll(async () => {
  port = await listener.listen()
  // Whatever bytes a Location may have, beyond what an HTTP library would write.
  redirects.server.on('connection', (socket) => {
    socket
      .on('error', () => undefined)
      .once('data', () => {
        socket.end(`HTTP/1.1 302 Found\r\nlocation: ${redirects.to}\r\ncontent-length: 0\r\n\r\n`)
      })
  })
  redirects.server.listen(0, host)
  await once(redirects.server, 'listening')
  redirects.url = `http://${host}:${portOf(redirects.server)}/a`
})
afterAll(() => {
  listener.close()
  redirects.server.close()
})

/** What becomes of an import from there, and what was opened and resolved for it. */
async function outcome(url: string, more: Partial<HttpOptions> = {}) {
  const { opened, connector } = recorder()
  const { asked, lookup } = resolver()
  const options = { rules, lookup, connector, ...more }
  const work = async () => await open(url, { options })
  const failure = await work().then(
    () => expect.unreachable(),
    (error: unknown) => asFailure(error),
  )
  return { failure, opened, asked }
}

const written = ({ url }: Spelling) => url.replaceAll('PORT', `${port}`)
const hasWord = (verdict: Spelling['verdict']) => typeof verdict === 'string'
const title = ({ url, verdict }: Spelling) =>
  [JSON.stringify(url), hasWord(verdict) ? verdict : `opens ${verdict.join(' and ')}`] as const

const rows = spellings.map((spelling) => [...title(spelling), spelling] as const)

test('the table is not empty by mistake, and says each thing once', () => {
  expect(spellings.length).toBeGreaterThan(200)
  expect(new Set(spellings.map(({ url }) => url)).size).toBe(spellings.length)
})

describe('a source at', () => {
  test.each(rows)('%s: %s', async (_url, _verdict, spelling) => {
    const { failure, opened, asked } = await outcome(written(spelling))
    const { verdict } = spelling
    if (!hasWord(verdict)) {
      expect(failure.code).toBe('SOURCE_UNAVAILABLE')
      expect(opened).toEqual(verdict)
    } else {
      expect(failure.code).toBe(verdict === 'INVALID' ? 'INVALID_REQUEST' : 'SOURCE_FORBIDDEN')
      if (verdict !== 'INVALID') expect(failure.message).toContain(verdict)
      expect(opened).toEqual([])
    }
    expect(new Set(asked).size).toBe(asked.length)
    expect(listener.accepted).toBe(0)
  })
})

/** A header holds no line breaks; what is relative there leads back to the source itself. */
const asLocation = rows.filter(([, , { url }]) => {
  const there = URL.parse(url.replaceAll('PORT', '1'), `http://${host}/`)
  return !url.includes('\n') && there?.hostname !== host
})

describe('a redirect to', () => {
  test.each(asLocation)('%s: %s', async (_url, _verdict, spelling) => {
    redirects.to = written(spelling)
    const { failure, opened, asked } = await outcome(redirects.url)
    const { verdict } = spelling
    const [first, ...others] = opened
    expect(first).toBe(host)
    if (!hasWord(verdict)) {
      expect(failure.code).toBe('SOURCE_UNAVAILABLE')
      expect(others).toEqual(verdict)
    } else {
      // What is no URL is no place to go to; another scheme is one that is not followed.
      expect(failure.code).toMatch(
        verdict === 'INVALID' ? /^SOURCE_(?:REFUSED|FORBIDDEN)$/ : /^SOURCE_FORBIDDEN$/,
      )
      if (verdict !== 'INVALID') expect(failure.message).toContain(verdict)
      expect(others).toEqual([])
    }
    expect(new Set(asked).size).toBe(asked.length)
    expect(listener.accepted).toBe(0)
  })
})

describe('behind a proxy, a source at', () => {
  const proxies = compileProxies({ http: 'http://proxy.example', https: null, except: [] })
  const isName = (url: string) => {
    const name = URL.parse(url.replaceAll('PORT', '1'))?.hostname.replace(/\.$/, '')
    return name !== undefined && name in names
  }

  test.each(rows)('%s: %s', async (_url, _verdict, spelling) => {
    const { failure, opened, asked } = await outcome(written(spelling), { proxies })
    const { url, verdict } = spelling
    // The proxy resolves, but what the name localhost means is known.
    const isUnknown = isName(url) && !/localhost/i.test(url.normalize('NFKC'))
    if (!hasWord(verdict) || isUnknown) {
      expect(failure.message).toContain('no connection to the proxy proxy.example')
      expect(opened).toEqual(['proxy.example'])
    } else {
      expect(failure.code).toBe(verdict === 'INVALID' ? 'INVALID_REQUEST' : 'SOURCE_FORBIDDEN')
      if (verdict !== 'INVALID') expect(failure.message).toContain(verdict)
      expect(opened).toEqual([])
    }
    expect(asked).toEqual([])
    expect(listener.accepted).toBe(0)
  })
})

test('somebody did listen', async () => {
  const permitting = compileRules({ deny: [], allow: ['127.0.0.1', '::1'] })
  for (const here of ['127.0.0.1', '[::1]']) {
    const work = open(`http://${here}:${port}/`, { options: { rules: permitting } })
    await expect(work).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' })
  }
  expect(listener.accepted).toBe(2)
})
