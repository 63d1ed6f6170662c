export type Taint = {
  readonly key: string
  readonly value?: string | undefined
  readonly effect: string
}

/** As in a pod; what is left out fits everything, but for a value. */
export type Toleration = {
  readonly key?: string | undefined
  readonly operator?: string | undefined
  readonly value?: string | undefined
  readonly effect?: string | undefined
}

const keepingAway = new Set(['NoSchedule', 'NoExecute'])

/** The taints that keep a machine away from a node; PreferNoSchedule is only a wish. */
export function untolerated(
  taints: readonly Taint[],
  tolerations: readonly Toleration[] = [],
): readonly Taint[] {
  return taints.filter(
    (taint) => keepingAway.has(taint.effect) && !tolerations.some((each) => tolerates(each, taint)),
  )
}

/** How long a NoExecute taint is tolerated says nothing of whether a machine may come. */
function tolerates({ key = '', operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false
  if (operator === 'Exists') return key === '' || key === taint.key
  if (operator && operator !== 'Equal') return false
  return key !== '' && key === taint.key && (value ?? '') === (taint.value ?? '')
}
