import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { disk, mebibyte } from './disks.ts'
import { startNeighbour, type Neighbour } from './http-neighbour.ts'
import { Logs } from './logs.ts'
import { problemSchema } from '../../src/serve/api/schema.ts'
import { readiness, Rest } from './rest.ts'
import { temporaryFolder } from './temporary.ts'

/**
 * A program, not a module: inside a network namespace it serves an image at every address of `places`, imports it by each
 * policy, and prints what became of it.
 */
export const places = {
  ten: '10.1.2.3',
  oneSevenTwo: '172.16.5.5',
  oneNineTwo: '192.168.7.7',
  shared: '100.64.0.7',
  local6: 'fd12::7',
  metadata: '169.254.169.254',
  metadata6: 'fd00:ec2::254',
  linkLocal: '169.254.1.1',
  loopback: '127.0.0.1',
  documentation: '192.0.2.1',
} as const

export const policies = {
  usual: {},
  denied: { SLIPWAY_SOURCE_DENY: '10.0.0.0/8,fd00::/8' },
  allowed: {
    SLIPWAY_SOURCE_ALLOW: '169.254.169.254,192.0.2.1',
    SLIPWAY_SOURCE_DENY: '0.0.0.0/0,::/0',
  },
} as const

export const outcomeSchema = z.object({
  policy: z.string(),
  place: z.string(),
  how: z.enum(['directly', 'by redirect']),
  /** `Ready`, or the message of the refusal. */
  end: z.string(),
  /** That the place has accepted meanwhile. */
  connections: z.number(),
})
export type Outcome = z.output<typeof outcomeSchema>

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const readyLine = z.object({ listen: z.string() })

async function main(): Promise<void> {
  await using resources = new AsyncDisposableStack()
  const neighbours = new Map<string, Neighbour>()
  for (const [place, host] of Object.entries(places)) {
    const neighbour = resources.use(await startNeighbour({ host }))
    neighbour.serve('/image', { bytes: disk(mebibyte) })
    neighbours.set(place, neighbour)
  }
  const outcomes: Outcome[] = []
  for (const [policy, variables] of Object.entries(policies)) {
    await using service = await start(variables)
    for (const [place, neighbour] of neighbours) {
      for (const way of waysTo(neighbour, policy, neighbours)) {
        const before = neighbour.connections
        const end = await endOf(service.rest, way.url)
        outcomes.push({
          policy,
          place,
          how: way.how,
          end,
          connections: neighbour.connections - before,
        })
      }
    }
  }
  process.stdout.write(JSON.stringify(outcomes))
}

/** Redirects come from a place that the policy permits. */
function waysTo(
  neighbour: Neighbour,
  policy: string,
  neighbours: ReadonlyMap<string, Neighbour>,
): readonly { readonly how: Outcome['how']; readonly url: string }[] {
  const url = neighbour.url('/image')
  const friend = neighbours.get(
    { usual: 'ten', denied: 'oneNineTwo', allowed: 'metadata' }[policy] ?? '',
  )
  const direct = { how: 'directly', url } as const
  if (!friend || friend === neighbour) return [direct]
  const location = { status: 302, headers: { location: url } }
  return [direct, { how: 'by redirect', url: friend.serve('/to', location) }]
}

async function start(variables: { readonly [variable: string]: string }) {
  const folder = await temporaryFolder()
  const env = {
    PATH: process.env['PATH'],
    SLIPWAY_LISTEN: '127.0.0.1:0',
    SLIPWAY_LOG_FORMAT: 'json',
    SLIPWAY_DATA_DIR: folder.path,
    ...variables,
  }
  const child = spawn(process.execPath, [program, 'serve'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  const logs = new Logs()
  logs.follow(child.stdout, child.stderr)
  const { listen } = readyLine.parse(await logs.line(({ msg }) => msg === 'slipway is ready'))
  return {
    rest: new Rest(() => `http://${listen}`),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
      await folder[Symbol.asyncDispose]()
    },
  }
}

async function endOf(rest: Rest, url: string): Promise<string> {
  const answer = await rest.post({ name: 'one', dataSource: { type: 'HTTP', http: { url } } })
  if (answer.status === 422) return problemSchema.parse(await answer.json()).detail
  const image = await rest.until('one', ({ status }) => /^(?:Ready|Failed)$/.test(status.phase))
  await rest.delete('one')
  return image.status.phase === 'Ready' ? 'Ready' : readiness(image).message
}

if (import.meta.main) await main()
