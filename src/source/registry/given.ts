import type { ContainerImageSection } from '../../image/data-source.ts'
import { readDockerConfig } from '../../image/docker-config.ts'
import type { Reference } from '../../image/reference.ts'
import { ofLogin, type Credentials } from './credentials.ts'
import { credentialsIn } from './docker-config.ts'

export type Given = {
  readonly credentials: Credentials | null
  /** What to do when the registry asks for more, as the end of a sentence. */
  readonly wayOut: string
}

/** Those that a section has for a reference. */
export function credentialsOf({ auth }: ContainerImageSection, reference: Reference): Given {
  if (!auth) return { credentials: null, wayOut: 'check the name, or give auth' }
  if ('username' in auth) {
    const credentials = ofLogin(auth.username, auth.password)
    return { credentials, wayOut: credentials ? 'check them' : 'give a username and a password' }
  }
  const { data } = readDockerConfig(auth['.dockerconfigjson'])
  const credentials = data ? credentialsIn(data, reference) : null
  const wayOut = credentials
    ? 'check them'
    : `add an entry for ${reference.registry} to .dockerconfigjson`
  return { credentials, wayOut }
}
