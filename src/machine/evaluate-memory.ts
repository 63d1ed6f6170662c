import { isWithin, nearestSteps, shownBounds, type Bounds } from './bounds.ts'
import { formatQuantity } from './quantity.ts'
import type { MemoryRange } from './sizing-policy.ts'
import type { Violation } from './violation.ts'

const path = 'spec.memory.size'
const field = `the memory size (${path})`

/** Whether so much memory, in billionths of a byte, is allowed for so many cores. */
export function evaluateMemory(
  size: bigint,
  cores: number,
  range: MemoryRange,
): readonly (Violation | null)[] {
  const isInside = isWithin(size, range)
  return [isInside ? step(size, range) : outside(size, range), perCore(size, cores, range)]
}

function outside(size: bigint, range: Bounds): Violation {
  const allowed = shownBounds(range, formatQuantity)
  return {
    code: 'MEMORY_OUT_OF_RANGE',
    path,
    message: `the memory size (${formatQuantity(size)}) is out of the range allowed by the sizing policy; set ${field} ${allowed}`,
  }
}

function step(size: bigint, range: MemoryRange): Violation | null {
  const nearest = nearestSteps(size, range)
  if (!nearest) return null
  const allowed = nearest.map(formatQuantity).join(' or ')
  return {
    code: 'MEMORY_OFF_STEP',
    path,
    message: `the memory size (${formatQuantity(size)}) does not match the sizing policy step; set ${field} to ${allowed}`,
  }
}

function perCore(size: bigint, cores: number, { perCore = {} }: MemoryRange): Violation | null {
  const all = { min: times(perCore.min, cores), max: times(perCore.max, cores) }
  if (isWithin(size, all)) return null
  const allowed = shownBounds(all, formatQuantity)
  const each = shownBounds(perCore, formatQuantity)
  return {
    code: 'MEMORY_PER_CORE_OUT_OF_RANGE',
    path,
    message: `the memory size (${formatQuantity(size)}) is not allowed for ${cores} CPU core(s); set ${field} ${allowed}, or change the number of cores (spec.cpu.cores) (the sizing policy allows ${each} of memory per core)`,
  }
}

function times(amount: bigint | undefined, cores: number): bigint | undefined {
  return amount === undefined ? undefined : amount * BigInt(cores)
}
