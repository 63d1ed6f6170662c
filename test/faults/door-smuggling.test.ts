import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { inTurns, needsOpenssl, openDoor, openTlsDoor, type Door } from '../support/door.ts'
import { needsNginx, startNginx } from '../support/nginx.ts'
import type { Random } from '../support/random.ts'
import { exchange, type Where } from '../support/raw-http.ts'
import { get, send } from '../support/rest.ts'
import { attemptAt, attempts, type Attempt } from '../support/smuggling.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { tryOut, type Trial } from './trial.ts'

const hasOpenssl = needsOpenssl()
const hasNginx = needsNginx()

/** Attempts of a round at each door, and at the same time. */
const ofRound = 25
const atOnce = 10
/** What a proxy makes of an attempt may be a request whose answer it waits behind: it is left after so many milliseconds. */
const quiet = 50

/** What is refused is refused with one of these, if not by the mere end. */
const refusals = new Set([400, 413, 417, 431])

tryOut('door-smuggling', async (trial) => {
  await using undo = new AsyncDisposableStack()
  const plain = undo.use(await openDoor())
  const doors = hasOpenssl ? [plain, undo.use(await openTlsDoor())] : [plain]
  const proxy = hasNginx ? await openProxy(undo, plain) : null
  const bytes = disk(mebibyte)
  await send(await plain.service.rest.createUpload('victim'), bytes)

  const random = trial.randomOf('each of them once')
  for (const [number, door] of doors.entries()) {
    await inTurns(
      Array.from({ length: attempts }, (_, index) => index),
      atOnce,
      async (index) => {
        const inner = deletionOf(`smuggled-${number}-${index}`) + deletionOf('victim')
        await refuse(door.where, attemptAt(index, inner, random), random, trial)
      },
    )
    await expectNothingDone(door, `seen-${number}`, proxy)
  }
  for (const { index, random } of trial.rounds()) {
    const names = Array.from({ length: ofRound }, (_, at) => `smuggled-${index}-${at}`)
    for (const door of doors) {
      await inTurns(names, atOnce, async (name) => {
        const inner = deletionOf(name) + deletionOf('victim')
        await refuse(door.where, attemptAt(random.below(attempts), inner, random), random, trial)
      })
    }
    if (proxy) {
      await inTurns(names, atOnce, async (name) => {
        const inner = deletionOf(`${name}-by-proxy`)
        await pass(proxy.where, attemptAt(random.below(attempts), inner, random), random, trial)
      })
    }
    for (const door of doors) await expectNothingDone(door, `seen-${index}`, proxy)
    expect((await plain.service.rest.image('victim')).status.phase).toBe('Ready')
  }
  const pulled = await get(plain.service.rest.url('/victim/disk'))
  expect(Buffer.from(await pulled.arrayBuffer()).equals(bytes)).toBe(true)
})

function deletionOf(name: string, fields = ''): string {
  return `DELETE /api/v1/images/${name} HTTP/1.1\r\nHost: 127.0.0.1\r\n${fields}\r\n`
}

/** In packets that end anywhere, as a network makes them. */
function piecesOf(text: string, random: Random): readonly Buffer[] {
  const bytes = Buffer.from(text, 'latin1')
  const ends = Array.from({ length: random.below(3) }, () => random.below(bytes.length))
  const sorted = [0, ...ends.toSorted((a, b) => a - b), bytes.length]
  return sorted.slice(1).map((end, at) => bytes.subarray(sorted[at], end))
}

/** The server itself ends the connection, whatever it makes of the attempt. */
async function refuse(where: Where, attempt: Attempt, random: Random, trial: Trial): Promise<void> {
  const { what, bad, text } = attempt
  const { answers, rest } = await exchange(where, piecesOf(text, random))
  const statuses = answers.map(({ status }) => status)
  const told = `${what} was answered with ${statuses.join()}`
  expect(statuses.length, told).toBeLessThanOrEqual(bad === null ? 2 : 1)
  expect(Math.max(...statuses, 0), told).toBeLessThan(500)
  if (bad === 'head') expect(refusals, told).toContain(statuses[0] ?? 400)
  expect(rest.toString('latin1'), `what came behind the answers to ${what}`).toBe('')
  trial.tried += 1
  trial.note(bad === null ? 'read in the one way that there is' : `refused for their ${bad}`)
}

async function pass(where: Where, { text }: Attempt, random: Random, trial: Trial): Promise<void> {
  const { answers } = await exchange(where, piecesOf(text, random), { open: quiet })
  expect(answers.map(({ status }) => status)).not.toContain(500)
  trial.tried += 1
  trial.note('through a proxy')
}

type Proxy = { readonly where: Where; readonly seen: () => Promise<string> }

/** As README has it, over connections that are used again. */
async function openProxy(undo: AsyncDisposableStack, { where }: Door): Promise<Proxy> {
  const folder = undo.use(await temporaryFolder())
  const accesses = join(folder.path, 'requests.log')
  const directives = `access_log ${accesses} combined;
    client_max_body_size 0;
    location / {
      proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_read_timeout 1h; proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }`
  const beside = `upstream service { server 127.0.0.1:${where.port}; keepalive 8; }`
  const nginx = undo.use(await startNginx({ directives, beside }))
  return {
    where: { port: nginx.port, isTls: false },
    seen: () => readFile(accesses, 'utf8'),
  }
}

/**
 * No request that was smuggled has come to the routes, but for those that the proxy took for requests of their own, too.
 * @param sign is asked for last: what was done before stands in the log before it
 */
async function expectNothingDone({ service, where }: Door, sign: string, proxy: Proxy | null) {
  await exchange(where, [Buffer.from(deletionOf(sign, 'Connection: close\r\n'))])
  await service.logs.line((line) => line['path'] === `/api/v1/images/${sign}`)
  const paths = service.logs.lines.flatMap((line) => {
    return line.msg === 'request' ? [String(line['path'])] : []
  })
  service.logs.forget()
  const smuggled = paths.filter((path) => path.includes('smuggled'))
  // The proxy writes its line once it has handed the answer on.
  await expect
    .poll(async () => {
      const seen = proxy ? await proxy.seen() : ''
      return smuggled.filter((path) => !seen.includes(`"DELETE ${path} HTTP/`))
    })
    .toEqual([])
}
