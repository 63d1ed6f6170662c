import type { z } from 'zod'

/** What machines and classes are told, in their conditions and when they are refused. */

/** Of a message, in characters (Kubernetes, Condition: 32 768). */
const longest = 16_384

export function cut(message: string): string {
  return message.length > longest ? `${message.slice(0, longest)}…` : message
}

/** All that is wrong, in one line. */
export function joined(told: readonly { readonly message: string }[]): string {
  return cut(told.map(({ message }) => message).join('; '))
}

export type Problem = {
  /** As Kubernetes writes it: `spec.sizingPolicies[0].cores.min`. */
  readonly field: string
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** Why a schema does not take an object, a line for each field. */
export function problemsIn({ issues }: z.core.$ZodError): readonly Problem[] {
  return issues.flatMap((issue) => {
    const { path, message } = issue
    if (issue.code !== 'unrecognized_keys') return [{ path, field: fieldOf(path), message }]
    return issue.keys.map((key) => {
      const inner = [...path, key]
      return { path: inner, field: fieldOf(inner), message: 'there is no such field' }
    })
  })
}

/** Problems, each with its field. */
export function shown(problems: readonly Problem[]): string {
  return problems.map(({ field, message }) => `${field}: ${message}`).join('; ')
}

function fieldOf(path: readonly PropertyKey[]): string {
  const [first = '', ...others] = path
  return String(first) + others.map(step).join('')
}

function step(key: PropertyKey): string {
  return /^[A-Za-z]\w*$/.test(String(key)) ? `.${String(key)}` : `[${String(key)}]`
}
