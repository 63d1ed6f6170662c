import type { Settings } from '../../env.ts'
import type { Log } from '../../log.ts'
import type { ServerKey } from '../../work/server-key.ts'
import { Gate } from './gate.ts'

/**
 * What asks for credentials; null where none are configured and everyone may do everything.
 * @throws Refusal with one line that names variable, file, line and the way out
 */
export async function openGate(
  settings: Settings,
  { issuingKey }: ServerKey,
  log: Log,
): Promise<Gate | null> {
  const { tokensFile, htpasswdFile, trustedProxies } = settings
  if (tokensFile === null && htpasswdFile === null) return null
  return await Gate.open({ ...settings, trustedProxies: trustedProxies ?? [], issuingKey, log })
}
