import { z } from 'zod'
import type { Action } from './caller.ts'
import { unreadable, type Origin } from '../../env/file-lines.ts'
import { compileGlob, type Glob } from '../../image/glob.ts'
import { nameProblem } from './name.ts'

type Entries = ReadonlyMap<string, ReadonlySet<Action>>
type Rule = { readonly glob: Glob; readonly allow: Entries }

/** Entries of a rule that stand for callers in general. */
const anyKnown = '*'
const anonymous = 'anonymous'

/** Rules for single repositories (`SLIPWAY_ACCESS_FILE`). */
export class AccessRules {
  readonly #rules: readonly Rule[]

  /**
   * @param rules as in the file. The longest match decides: the glob with the most literal characters; of equally long
   * ones, one without `**` before one with it; of those, the first in the file.
   */
  constructor(rules: readonly Rule[]) {
    const closeness = (a: Rule, b: Rule) =>
      b.glob.literals - a.glob.literals || Number(a.glob.crossesParts) - Number(b.glob.crossesParts)
    this.#rules = rules.toSorted(closeness)
  }

  /**
   * What the rule of a repository lets a caller do, null when there is no rule and the role decides. The caller's own
   * entry comes before that of every known caller (`*`), and that before the one of callers without credentials
   * (`anonymous`): who says who they are may not do less than who does not. No entry at all allows nothing.
   * @param name null for a caller without credentials
   */
  allowed(name: string | null, repository: string): ReadonlySet<Action> | null {
    const rule = this.#rules.find(({ glob }) => glob.matches(repository))
    if (!rule) return null
    const entries = name === null ? [anonymous] : [name, anyKnown, anonymous]
    const entry = entries.find((each) => rule.allow.has(each))
    return (entry === undefined ? undefined : rule.allow.get(entry)) ?? new Set()
  }

  /** Whether callers without credentials may do anything somewhere. */
  get admitAnonymous(): boolean {
    return this.#rules.some(({ allow }) => (allow.get(anonymous)?.size ?? 0) > 0)
  }
}

export const noRules = new AccessRules([])

/** Each is looked at whenever a repository is asked for. */
const mostRules = 1000
/** Of a name of a repository, with stars for some of its characters. */
const globText = z
  .string()
  .min(1)
  .max(255)
  .regex(/^(?:[a-z0-9._-]|\*|\/(?=[^/]))+$/, 'is no name of a repository with * or ** in it')
  .refine((text) => !text.startsWith('/') && !text.includes('***'), {
    error: 'is no name of a repository with * or ** in it',
  })
const entryName = z
  .string()
  .refine((name) => name === anyKnown || name === anonymous || isCallerName(name), {
    error: 'is no name of a caller',
  })

/** Those whom the cluster knows have a colon in their names, as `system:serviceaccount:team-a:ci`. */
function isCallerName(name: string): boolean {
  return nameProblem(name) === null || /^(?=.*:)[\x21-\x7e]{1,512}$/.test(name)
}

const schema = z.strictObject({
  rules: z
    .array(
      z.strictObject({
        repository: globText,
        allow: z.record(entryName, z.array(z.enum(['pull', 'push', 'delete']))),
      }),
    )
    .max(mostRules),
})

/** @throws Refusal that names the file and what is wrong where */
export function parseAccess(text: string, origin: Origin): AccessRules {
  const { rules } = checked(text, origin)
  return new AccessRules(
    rules.map(({ repository, allow }) => ({
      glob: compileGlob(repository),
      allow: new Map(Object.entries(allow).map(([name, actions]) => [name, new Set(actions)])),
    })),
  )
}

const shape = '{"rules": [{"repository": "team-a/**", "allow": {"ci-a": ["pull", "push"]}}]}'

function checked(text: string, origin: Origin): z.output<typeof schema> {
  const result = schema.safeParse(json(text, origin))
  if (result.success) return result.data
  const told = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw unreadable(origin, null, `${told.slice(0, 3).join('; ')}; it looks like ${shape}`)
}

function json(text: string, origin: Origin): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const why = error instanceof SyntaxError ? lineOf(text, error) : null
    throw unreadable(origin, why, `it is no JSON; it looks like ${shape}`)
  }
}

/** V8 says at which character it stopped. */
function lineOf(text: string, { message }: SyntaxError): number | null {
  const position = /at position (\d+)/.exec(message)?.[1]
  return position === undefined ? null : text.slice(0, Number(position)).split('\n').length
}
