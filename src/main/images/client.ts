import { Rest } from '../../client/rest.ts'
import { tokenSource } from '../../client/token.ts'
import { Refusal } from '../../errors.ts'
import { trust } from '../command.ts'

/** The service that is asked, and how to speak to it. */
export type Client = {
  /** Without a slash at the end. */
  readonly base: string
  readonly userAgent: string
  readonly rest: Rest
}

const usually = 'http://127.0.0.1:8080'

/**
 * By `SLIPWAY_URL`, `SLIPWAY_TOKEN`, `SLIPWAY_TOKEN_FILE` and `SSL_CERT_FILE` alone. Nothing is asked yet.
 * @throws Refusal with a line for each of them that is wrong
 */
export async function openClient(): Promise<Client> {
  const { readClientSettings } = await import('../../env.ts')
  const { settings, problems } = readClientSettings(process.env)
  if (!settings) throw new Refusal('UNSUPPORTED', problems.join('\n'))
  await trust(settings)
  const version = await import('../../app/version.ts')
  const userAgent = version.userAgent()
  const base = settings.url ?? usually
  return { base, userAgent, rest: new Rest({ base, token: tokenSource(settings), userAgent }) }
}
