import { once } from 'node:events'
import { get as getByHttp, type IncomingMessage } from 'node:http'
import { get as getByHttps } from 'node:https'
import type { Listen, Settings } from '../env.ts'
import { Refusal } from '../errors.ts'
import { complain, withSettings, type Command } from './command.ts'

/** In milliseconds. */
const answersWithin = 5000
const no = 1

export const command: Command = {
  help: `slipway health [controller]

Asks the service on this machine whether it answers, where SLIPWAY_LISTEN says; with controller, the companion, where
SLIPWAY_CONTROLLER_LISTEN says. For health checks of containers: exit code 0 when it does within five seconds, 1 otherwise.
`,
  options: {},
  async run(operands) {
    return await health(urlOf(await withSettings(), operands))
  },
}

function urlOf(settings: Settings, operands: readonly string[]): URL {
  const { listen, tlsCert, controllerListen } = settings
  if (operands.length === 0) return here(listen, tlsCert === null ? 'http' : 'https')
  if (operands.join(' ') === 'controller') return here(controllerListen, 'http')
  throw new Refusal('UNSUPPORTED', 'give controller, or nothing; try slipway health --help')
}

/** Who listens everywhere is reached by loopback. */
function here({ host, port }: Listen, scheme: 'http' | 'https'): URL {
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return new URL(`${scheme}://${name.includes(':') ? `[${name}]` : name}:${port}/healthz`)
}

async function health(url: URL): Promise<number> {
  try {
    const status = await statusOf(url)
    if (status === 200) return 0
    complain(`${url.href} answers with ${status}`)
  } catch (error) {
    complain(`${url.href} does not answer: ${error instanceof Error ? error.message : 'unknown'}`)
  }
  return no
}

async function statusOf(url: URL): Promise<number> {
  const get = url.protocol === 'https:' ? getByHttps : getByHttp
  // The listener's certificate is for its name, not for loopback.
  const options = { signal: AbortSignal.timeout(answersWithin), rejectUnauthorized: false }
  const [answer]: readonly IncomingMessage[] = await once(get(url, options), 'response')
  answer?.resume()
  return answer?.statusCode ?? 0
}
