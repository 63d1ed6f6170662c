import type { Said } from './status.ts'

/** What a look at a resource came to. */
export type Conclusion = {
  /** Null where what is said already stays. */
  readonly said: Said | null
  /** When to look again: after a while that grows, and is at least so many milliseconds; null for when something changes. */
  readonly again: number | null
  /** Whether the service knows of it. */
  readonly isFinding: boolean
}

export const nothing: Conclusion = { said: null, again: null, isFinding: false }
export const soon: Conclusion = { said: null, again: 0, isFinding: false }

/** What the service says. */
export function told(said: Said, again: number | null = null): Conclusion {
  return { said, again, isFinding: false }
}

/** What the companion itself says. */
export function found(said: Said, again: number | null = null): Conclusion {
  return { said, again, isFinding: true }
}
