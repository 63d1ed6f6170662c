import { Refusal } from '../../errors.ts'
import { repositoryOf } from '../../image/name.ts'
import type { Call } from '../context.ts'
import { everyone, type Action, type Caller } from './caller.ts'
import { catalogScope, challengeRegistry, challengeRest, scopeOf } from './challenge.ts'
import type { Reach } from './role.ts'
import { Visitor } from './visitor.ts'

export type { Action, Caller } from './caller.ts'

/**
 * Lets a request of the registry pass that wants this of a repository.
 * @throws Refusal UNAUTHORIZED, with the challenge among the headers of the answer to come, when other or any credentials
 * may help; DENIED when the caller is known and may not
 */
export function demand(c: Call, action: Action, repository: string): void {
  const caller = c.get('caller')
  if (caller.may(action, repository)) return
  const might = caller.entitled(action, repository)
  refuse(c, { might, scope: scopeOf(action, repository), what: `${action} ${repository}` })
}

/** As `demand`, for the catalog of repositories. */
export function demandList(c: Call): void {
  const caller = c.get('caller')
  if (caller.mayList()) return
  const might = caller instanceof Visitor && caller.mightListOtherwise()
  refuse(c, { might, scope: catalogScope, what: 'list the repositories' })
}

/**
 * As `demand`, for a request of REST that reads or changes an image: `cvi/<name>` is where it is handed out, so rules for
 * that repository hold for it.
 */
export function demandImage(c: Call, action: Action, name: string): void {
  demandRepository(c, action, repositoryOf(name))
}

/** As `demandImage`, for any repository. */
export function demandRepository(c: Call, action: Action, repository: string): void {
  if (!c.get('caller').may(action, repository)) refuseRest(c, `${action} ${repository}`)
}

/** Tells of an image whether the caller may pull it. */
export function mayPull(c: Call): (name: string) => boolean {
  const caller = c.get('caller')
  return (name) => caller.may('pull', repositoryOf(name))
}

/** Whether the caller may read or change what REST shows. */
export function reaches(c: Call, reach: Reach): boolean {
  return callerReaches(c.get('caller'), reach)
}

export function callerReaches(caller: Caller, reach: Reach): boolean {
  return caller === everyone || (caller instanceof Visitor && caller.reaches(reach))
}

/** @throws Refusal UNAUTHORIZED, DENIED */
export function demandReach(c: Call, reach: Reach): void {
  if (!reaches(c, reach)) refuseRest(c, reachWords[reach])
}

const reachWords: { readonly [R in Reach]: string } = {
  read: 'read here',
  write: 'change anything here',
  maintain: 'look after the storage',
}

/** Lets anybody pass whose credentials are right. @throws Refusal UNAUTHORIZED */
export function demandIdentity(c: Call): void {
  const caller = c.get('caller')
  if (caller !== everyone && caller.name === null) refuseRest(c, 'read here')
}

/**
 * What `Cache-Control` says of bytes that are pulled: a cache between here and the client may hand them to others only
 * where others need no credentials.
 */
export function cacheability(c: Call, repository: string): 'public' | 'private' {
  return c.get('isPublic')?.(repository) === false ? 'private' : 'public'
}

type Wanted = {
  /** Whether the caller's own credentials would do, where a token with less was shown. */
  readonly might: boolean
  readonly scope: string
  readonly what: string
}

function refuse(c: Call, { might, scope, what }: Wanted): never {
  const caller = c.get('caller')
  if (caller.name !== null && !might) throw denied(c, caller.name, what)
  const isScoped = caller instanceof Visitor && caller.isScoped
  challengeRegistry(c, scope, isScoped ? 'insufficient_scope' : null)
  throw new Refusal(
    'UNAUTHORIZED',
    isScoped
      ? `this token is not for that: to ${what} takes another one`
      : `to ${what} takes credentials; log in`,
  )
}

function refuseRest(c: Call, what: string): never {
  const { name } = c.get('caller')
  if (name !== null) throw denied(c, name, what)
  challengeRest(c)
  throw new Refusal(
    'UNAUTHORIZED',
    `to ${what} takes credentials; send a token as "Authorization: Bearer …"`,
  )
}

function denied(c: Call, name: string, what: string): Refusal {
  const why = `"${name}" may not ${what}`
  c.get('log').warn({ caller: name, address: c.get('address'), why }, 'an attempt was refused')
  return new Refusal('DENIED', `${why}; ask whoever runs this service for the right`)
}
