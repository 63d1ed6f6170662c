/** A condition on one label; `values` as the operator needs them. */
export type Requirement = {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[] | undefined
}

/** All of it has to hold; an empty selector holds for everything. */
export type LabelSelector = {
  readonly matchLabels?: { readonly [key: string]: string } | undefined
  readonly matchExpressions?: readonly Requirement[] | undefined
}

/** The value of a label, null where there is none. */
export type LabelOf = (key: string) => string | null

/** Whether labels are those that a selector asks for, as Kubernetes' node selectors see it. */
export function isSelected(selector: LabelSelector | undefined, labelOf: LabelOf): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {}
  return (
    Object.entries(matchLabels).every(([key, value]) => labelOf(key) === value) &&
    matchExpressions.every((requirement) => isMet(requirement, labelOf(requirement.key)))
  )
}

/** The labels that a selector looks at. */
export function keysOf({ matchLabels = {}, matchExpressions = [] }: LabelSelector = {}): string[] {
  return [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)]
}

/** A label that is missing is none of the values. What no API server takes, such as no values to be one of, holds for nothing. */
function isMet({ operator, values = [] }: Requirement, value: string | null): boolean {
  switch (operator) {
    case 'In':
      return value !== null && values.includes(value)
    case 'NotIn':
      return values.length > 0 && (value === null || !values.includes(value))
    case 'Exists':
      return value !== null
    case 'DoesNotExist':
      return value === null
    case 'Gt':
      return isOrdered(values, value, (limit, number) => number > limit)
    case 'Lt':
      return isOrdered(values, value, (limit, number) => number < limit)
    default:
      return false
  }
}

function isOrdered(
  [value, ...others]: readonly string[],
  label: string | null,
  isRight: (limit: bigint, number: bigint) => boolean,
): boolean {
  const [limit, number] = [integer(value), integer(label)]
  return others.length === 0 && limit !== null && number !== null && isRight(limit, number)
}

/** Of 64 bits with a sign, decimal; null for anything else. */
function integer(text: string | null | undefined): bigint | null {
  if (!text || !/^[+-]?\d{1,64}$/.test(text)) return null
  const number = BigInt(text.replace(/^\+/, ''))
  return BigInt.asIntN(64, number) === number ? number : null
}
