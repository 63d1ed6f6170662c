import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { Crossing, moments } from '../support/cluster/crossing.ts'
import { within } from '../support/deadline.ts'

/** Asks for /1, /2, … of two bases by turns, and says what came back. */
const victim = `
const [, ...bases] = process.argv
for (let nth = 1; nth <= 6; nth += 1) {
  const answer = await fetch(bases[nth % 2] + '/' + nth, { headers: { authorization: 'Bearer it' } })
  console.log(answer.status + ' ' + await answer.text())
}
`

type Asked = { readonly path: string; readonly token: string }

/** A server that answers its name, except to /stream, which it never ends. */
async function startSide(name: string) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push({ path, token: request.headers.authorization ?? '' })
    response.write(`${name}${path}`)
    if (!path.startsWith('/stream')) response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    asked,
    base: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function stage() {
  await using stack = new AsyncDisposableStack()
  const cluster = stack.use(await startSide('cluster'))
  const service = stack.use(await startSide('service'))
  const targets = { cluster: () => cluster, service: () => service }
  const crossing = stack.use(await Crossing.open(targets))
  const kept = stack.move()
  return { cluster, service, crossing, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

function startVictim(crossing: Crossing) {
  const bases = [crossing.base('cluster'), crossing.base('service')]
  const args = ['--input-type=module', '-e', victim, ...bases]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line))
  const end = () => within(20_000, 'the end of the process', ended)
  const kill = async () => {
    child.kill('SIGKILL')
    await end()
  }
  return { lines, end, kill }
}

describe('the crossing', () => {
  test('counts the requests of both sides in their order and passes them on', async () => {
    await using all = await stage()
    const { crossing, cluster, service } = all
    const process = startVictim(crossing)
    await process.end()
    expect(crossing.requests.map(({ side, path }) => side[0] + path)).toEqual([
      's/1',
      'c/2',
      's/3',
      'c/4',
      's/5',
      'c/6',
    ])
    expect(process.lines).toContain('200 cluster/2')
    expect(cluster.asked[0]).toEqual({ path: '/2', token: 'Bearer it' })
    expect(service.asked).toHaveLength(3)
  })

  test.each(moments)(
    'kills %s the third request, and lets nothing pass until opened',
    async (moment) => {
      await using all = await stage()
      const { crossing, service } = all
      const process = startVictim(crossing)
      const killed = await within(20_000, 'kill', crossing.killAt(3, moment, process.kill))
      expect(killed).toMatchObject({ side: 'service', path: '/3', status: null })
      expect(process.lines).toEqual(['200 service/1', '200 cluster/2'])
      const paths = service.asked.map(({ path }) => path)
      expect(paths).toEqual(moment === 'before' ? ['/1'] : ['/1', '/3'])
      await expect(fetch(crossing.base('service'))).rejects.toThrow('fetch failed')
      expect(crossing.requests).toHaveLength(3)
      crossing.open()
      expect((await fetch(`${crossing.base('service')}/again`)).status).toBe(200)
    },
  )

  test('passes a stream on as it comes, and breaks it', async () => {
    await using all = await stage()
    const { crossing } = all
    const answer = await fetch(`${crossing.base('cluster')}/stream?watch=1`)
    const reader = answer.body?.getReader()
    const first = await within(20_000, 'the first bytes', reader?.read() ?? Promise.reject())
    expect(new TextDecoder().decode(first.value)).toBe('cluster/stream?watch=1')
    crossing.cut('cluster')
    await expect(reader?.read()).rejects.toThrow('terminated')
  })

  test('answers itself, delays and cuts as its rule says', async () => {
    await using all = await stage()
    const { crossing, cluster } = all
    crossing.rule = ({ path }) => {
      if (path === '/cut') return 'cut'
      return path === '/late' ? 5 : { status: 410, body: '{"code":410}' }
    }
    const ask = (path: string) => fetch(crossing.base('cluster') + path)
    expect(await (await ask('/gone')).json()).toEqual({ code: 410 })
    expect(await (await ask('/late')).text()).toBe('cluster/late')
    await expect(ask('/cut')).rejects.toThrow('fetch failed')
    expect(cluster.asked.map(({ path }) => path)).toEqual(['/late'])
  })
})
