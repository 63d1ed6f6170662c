import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { buildConnector } from 'undici'
import { describe, expect, test } from 'vitest'
import { compileRules } from '../../../src/source/address-rules.ts'
import { dial, type DialOptions } from '../../../src/source/dial.ts'
import type { Lookup } from '../../../src/source/resolve.ts'
import { content, startNeighbour } from '../../support/http-neighbour.ts'
import { beside, deadline, failing, loopback, open, read } from './visits.ts'

const unlifted = compileRules({ deny: [], allow: [] })

const nowhere = () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
const silent = () => new Promise<never>(() => undefined)

/** A connector that notes where it is sent and connects nowhere. */
function recorder() {
  const targets: buildConnector.Options[] = []
  const connector: buildConnector.connector = (target, callback) => {
    targets.push(target)
    callback(Object.assign(new Error('recorded'), { code: 'ECONNREFUSED' }), null)
  }
  return { targets, connector }
}

/** Answers one after the other; the last one stays. */
function changing(...answers: readonly (readonly string[])[]) {
  let count = 0
  const lookup: Lookup = async () => {
    const answer = answers[Math.min(count, answers.length - 1)] ?? []
    count += 1
    return answer.map((address) => ({ address }))
  }
  return { lookup, count: () => count }
}

function connect(
  target: Partial<buildConnector.Options>,
  options: Partial<DialOptions>,
  signal = deadline(),
): Promise<Socket> {
  const connector = dial({ rules: unlifted, timeout: 5000, ...options }, signal)
  return new Promise((fulfil, reject) => {
    connector(
      { hostname: 'example.com', protocol: 'http:', port: '', ...target },
      (error, socket) => (socket ? fulfil(socket) : reject(error)),
    )
  })
}

async function mute(run: (port: number) => Promise<void>): Promise<void> {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket.on('error', () => undefined)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await run(typeof address === 'object' && address ? address.port : 0)
  for (const socket of sockets) socket.resume()
  await Promise.all(
    sockets
      .filter((socket) => !socket.closed)
      .map((socket) => once(socket, 'close', { signal: deadline() })),
  )
  server.close()
  await once(server, 'close', { signal: deadline() })
}

describe('a connection', () => {
  test.each([
    'http://169.254.169.254:80',
    'http://[::1]:80',
    'http://[64:ff9b::7f00:1]:80',
    'http://[fe80::1]:80',
  ])('to %s is never tried', async (url) => {
    const { targets, connector } = recorder()
    const { hostname } = new URL(url)
    await failing(connect({ hostname }, { connector }), 'SOURCE_FORBIDDEN')
    expect(targets).toEqual([])
  })

  test('to a name with forbidden addresses alone is never tried', async () => {
    const { targets, connector } = recorder()
    const { lookup } = changing(['169.254.169.254', '::ffff:127.0.0.1', '0.0.0.0', 'fe80::1%eth0'])
    await failing(connect({}, { connector, lookup }), 'SOURCE_FORBIDDEN')
    expect(targets).toEqual([])
  })

  test('goes to the permitted addresses of a name alone, one after the other', async () => {
    const { targets, connector } = recorder()
    const { lookup } = changing(['10.0.0.1', '127.0.0.1', '10.0.0.2'])
    await failing(connect({}, { connector, lookup }), 'SOURCE_UNAVAILABLE')
    expect(targets.map(({ hostname }) => hostname)).toEqual(['10.0.0.1', '10.0.0.2'])
  })

  test('tries eight addresses at most', async () => {
    const { targets, connector } = recorder()
    const { lookup } = changing(Array.from({ length: 50 }, (_, index) => `10.0.0.${index}`))
    await failing(connect({}, { connector, lookup }), 'SOURCE_UNAVAILABLE')
    expect(targets).toHaveLength(8)
  })

  test('resolves once, so that a second answer cannot slip in', async () => {
    const { targets, connector } = recorder()
    const { lookup, count } = changing(['10.0.0.1'], ['127.0.0.1'])
    await failing(connect({}, { connector, lookup }), 'SOURCE_UNAVAILABLE')
    expect(count()).toBe(1)
    expect(targets.map(({ hostname }) => hostname)).toEqual(['10.0.0.1'])
  })

  test('over TLS is still about the name', async () => {
    const { targets, connector } = recorder()
    const { lookup } = changing(['10.0.0.1'])
    const target = { protocol: 'https:', hostname: 'Example.com.' }
    await failing(connect(target, { connector, lookup }), 'SOURCE_UNAVAILABLE')
    expect(targets).toMatchObject([{ hostname: '10.0.0.1', servername: 'example.com' }])
  })

  test('that leads elsewhere is closed', () =>
    beside(async (neighbour) => {
      const real = buildConnector({})
      const connector: buildConnector.connector = (target, callback) =>
        real({ ...target, hostname: '127.0.0.1', port: `${neighbour.port}` }, callback)
      await failing(connect({ hostname: '10.0.0.1' }, { connector }), 'SOURCE_UNAVAILABLE')
      expect(neighbour.connections).toBe(1)
    }))
})

describe('a name', () => {
  test('that does not resolve is an outage', async () => {
    const { message } = await failing(
      open('http://nowhere.example/', { options: { lookup: nowhere } }),
      'SOURCE_UNAVAILABLE',
    )
    expect(message).toBe('the host name nowhere.example does not resolve; check the URL')
  })

  test('without addresses does not resolve', async () => {
    const { lookup } = changing([])
    const work = open('http://nowhere.example/', { options: { lookup } })
    expect((await failing(work, 'SOURCE_UNAVAILABLE')).message).toContain('does not resolve')
  })

  test('whose server keeps silent is an outage after the time to connect', async () => {
    const work = connect({}, { lookup: silent, timeout: 20 })
    expect((await failing(work, 'SOURCE_UNAVAILABLE')).message).toContain('does not resolve')
  })

  test('is left alone when the import is aborted', async () => {
    const aborter = new AbortController()
    const reason = new Error('enough')
    const lookup = () => {
      aborter.abort(reason)
      return silent()
    }
    const work = open('http://slow.example/', { options: { lookup }, signal: aborter.signal })
    await expect(work).rejects.toBe(reason)
  })

  test('is reached at its next address when the first does not answer', () =>
    beside(async (neighbour) => {
      neighbour.serve('/disk.img', { size: 10 })
      const { lookup } = changing(['127.0.0.2', '127.0.0.1'])
      const url = neighbour.url('/disk.img', 'mirror.example')
      expect(await read(url, { options: { lookup } })).toEqual(content(10))
      expect(neighbour.requests[0]?.headers.host).toBe(`mirror.example:${neighbour.port}`)
    }))

  test('is asked of the system, and judged as any other', () =>
    beside(async (neighbour) => {
      neighbour.serve('/x', { size: 4 })
      expect(await read(neighbour.url('/x', 'localhost'))).toEqual(content(4))
      const options = { rules: unlifted }
      await failing(open(neighbour.url('/x', 'localhost'), { options }), 'SOURCE_FORBIDDEN')
    }))

  test('is reached over IPv6, and by an IPv4-mapped answer', async () => {
    await using six = await startNeighbour({ host: '::1' })
    expect(await read(six.serve('/x', { size: 4 }))).toEqual(content(4))
    await using four = await startNeighbour()
    four.serve('/x', { size: 4 })
    const { lookup } = changing(['::ffff:127.0.0.1'])
    expect(await read(four.url('/x', 'a.example'), { options: { lookup } })).toEqual(content(4))
  })
})

describe('a server that accepts and says nothing', () => {
  test('during TLS is an outage after the time to connect', () =>
    mute(async (port) => {
      const work = open(`https://127.0.0.1:${port}/`, { options: { timeouts: { connect: 50 } } })
      const { message } = await failing(work, 'SOURCE_UNAVAILABLE')
      expect(message).toContain('it did not answer within 0.05 s')
    }))

  test('during TLS is left when the import is aborted', () =>
    mute(async (port) => {
      const aborter = new AbortController()
      const reason = new Error('enough')
      const connected = connect(
        { protocol: 'https:', hostname: '127.0.0.1', port: `${port}` },
        { rules: loopback },
        aborter.signal,
      )
      setImmediate(() => aborter.abort(reason))
      await expect(connected).rejects.toBe(reason)
    }))
})
