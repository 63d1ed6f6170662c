import type { Action } from './caller.ts'

/** http-api, "Who may do what". A puller has a password out of the htpasswd file, the others a token. */
export const roles = ['admin', 'editor', 'viewer', 'puller'] as const
export type Role = (typeof roles)[number]

/** What of REST: to look, to change things, too, or to look after the storage itself. */
export type Reach = 'read' | 'write' | 'maintain'

type Rights = { readonly actions: ReadonlySet<Action>; readonly reaches: ReadonlySet<Reach> }

const all: ReadonlySet<Action> = new Set<Action>(['pull', 'push', 'delete'])
const pull: ReadonlySet<Action> = new Set<Action>(['pull'])
const table: { readonly [R in Role]: Rights } = {
  admin: { actions: all, reaches: new Set<Reach>(['read', 'write', 'maintain']) },
  editor: { actions: all, reaches: new Set<Reach>(['read', 'write']) },
  viewer: { actions: pull, reaches: new Set<Reach>(['read']) },
  puller: { actions: pull, reaches: new Set<Reach>() },
}

export function rightsOf(role: Role): Rights {
  return table[role]
}

/** Those of a caller without credentials. */
export function anonymousRights(mayPull: boolean): Rights {
  return { actions: mayPull ? pull : new Set(), reaches: new Set() }
}
