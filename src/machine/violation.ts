/** What a machine may do wrong, each with its stable code. */
export const violationCodes = [
  'CLASS_NOT_FOUND',
  'CORES_OUT_OF_RANGE',
  'CORES_OFF_STEP',
  'CORE_FRACTION_NOT_ALLOWED',
  'DEDICATED_CORES_NOT_ALLOWED',
  'DEDICATED_CORES_REQUIRED',
  'MEMORY_OUT_OF_RANGE',
  'MEMORY_OFF_STEP',
  'MEMORY_PER_CORE_OUT_OF_RANGE',
] as const

/** One reason why a machine does not fit its class. `path` is the field to change, `message` says how. */
export type Violation = {
  readonly code: (typeof violationCodes)[number]
  readonly path: string
  readonly message: string
}
