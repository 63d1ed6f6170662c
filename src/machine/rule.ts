/** A rule in CEL as a definition of Kubernetes has it, with a message or an expression that makes one. */
export type Rule = {
  readonly rule: string
  readonly message?: string
  readonly messageExpression?: string
  /** Where the fault lies, below the place of the rule. */
  readonly fieldPath?: string
  /** `oldSelf` is an optional then, and the rule is asked at creation, too. */
  readonly optionalOldSelf?: true
}

/** What a schema bears in `meta`, so that the definition made of it has these rules. */
export function rules(...all: readonly Rule[]) {
  return { 'x-kubernetes-validations': all }
}
