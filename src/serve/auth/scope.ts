import { z } from 'zod'
import { Refusal } from '../../errors.ts'
import { isRepository } from '../../image/name.ts'
import type { Action, Caller } from './caller.ts'

/** The `access` claim of an issued token, as other registries write it. */
export const accessSchema = z.array(
  z.object({ type: z.string(), name: z.string(), actions: z.array(z.string()) }),
)
export type Access = z.output<typeof accessSchema>

/** One push of an image that is put together from many repositories needs some; a hundred is no such thing any more. */
const mostScopes = 100
/** A token is a header of every later request, and those have 16 KiB together. */
const largestAccess = 8 * 1024

const actions: readonly Action[] = ['pull', 'push', 'delete']

/**
 * What is asked for (`scope` of a token request): `repository:NAME:pull,push`, several by spaces or repeated. A name may
 * hold colons, as one with a port does, so the type ends at the first and the name at the last.
 * @throws Refusal INVALID_REQUEST
 */
export function parseScopes(texts: readonly string[]): Access {
  const all = texts.flatMap((text) => text.split(' ')).filter((text) => text !== '')
  if (all.length > mostScopes) {
    throw new Refusal('INVALID_REQUEST', `a token has at most ${mostScopes} scopes; ask for fewer`)
  }
  return all.flatMap((text) => {
    const [, type, name, asked] = /^([^:]+):(.+):([^:]*)$/.exec(text) ?? []
    if (type === undefined || name === undefined || asked === undefined) return []
    // `repository(class):…` says more than we need.
    return [{ type: type.replace(/\(.*\)$/, ''), name, actions: asked.split(',') }]
  })
}

/** What is asked for and allowed. What is not allowed is left out, as clients expect: they ask for more than they need. */
export function grant(asked: Access, caller: Caller): Access {
  const granted = asked.flatMap(({ type, name, actions }) => {
    const given =
      type === 'registry'
        ? catalogActions(name, actions, caller)
        : allowed(type, name, actions, caller)
    return given.length > 0 ? [{ type, name, actions: [...given] }] : []
  })
  if (JSON.stringify(granted).length > largestAccess) {
    throw new Refusal('INVALID_REQUEST', 'a token cannot hold so many scopes; ask for fewer')
  }
  return granted
}

function allowed(type: string, name: string, asked: readonly string[], caller: Caller) {
  if (type !== 'repository' || !isRepository(name)) return []
  return actions.filter(
    (action) => (asked.includes(action) || asked.includes('*')) && caller.may(action, name),
  )
}

function catalogActions(name: string, asked: readonly string[], caller: Caller) {
  return name === 'catalog' && asked.includes('*') && caller.mayList() ? ['*'] : []
}

/** What a token that was issued is for. */
export class Scope {
  readonly #repositories = new Map<string, Set<string>>()
  readonly lists: boolean

  constructor(access: Access) {
    for (const { type, name, actions } of access) {
      if (type !== 'repository') continue
      const known = this.#repositories.get(name) ?? new Set()
      this.#repositories.set(name, known.union(new Set(actions)))
    }
    this.lists = access.some(({ type, name }) => type === 'registry' && name === 'catalog')
  }

  covers(action: Action, repository: string): boolean {
    return this.#repositories.get(repository)?.has(action) ?? false
  }
}
