const longest = 128
/** Basic credentials end a name with a colon; the rest would look like something else in a log or a rule. */
const pattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]*$/

/** Why a text is no name of a caller, as the end of a sentence; null when it is one. */
export function nameProblem(name: string): string | null {
  if (name === 'anonymous') return 'the name "anonymous" stands for callers without credentials'
  if (name.length <= longest && pattern.test(name)) return null
  return `a name has 1 to ${longest} letters, digits and . _ @ + -, and begins with a letter or digit`
}
