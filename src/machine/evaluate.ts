import { nearestSteps } from './bounds.ts'
import { evaluateMemory } from './evaluate-memory.ts'
import { shownRange, type SizingPolicy } from './sizing-policy.ts'
import type { Violation } from './violation.ts'
import type { VirtualMachineClass } from './virtual-machine-class.ts'
import type { VirtualMachine } from './virtual-machine.ts'

type Cpu = VirtualMachine['spec']['cpu']

/**
 * Why a machine does not fit a class: all reasons at once, none when it fits (vmclass, "Whether a machine fits its class").
 * The policy whose core range holds the machine's cores decides; a class without policies limits nothing.
 */
export function evaluate(machineClass: VirtualMachineClass, machine: VirtualMachine): Violation[] {
  const { sizingPolicies = [] } = machineClass.spec
  const { cpu, memory } = machine.spec
  if (sizingPolicies.length === 0) return []
  const policy = sizingPolicies.find(
    ({ cores }) => cpu.cores >= cores.min && cpu.cores <= cores.max,
  )
  if (!policy) return [outside(cpu.cores, machineClass.metadata.name, sizingPolicies)]
  const found = [
    step(cpu.cores, policy),
    fraction(cpu, policy),
    dedicated(cpu, policy),
    ...evaluateMemory(memory.size, cpu.cores, policy.memory ?? {}),
  ]
  return found.filter((each) => each !== null)
}

function outside(cores: number, name: string, policies: readonly SizingPolicy[]): Violation {
  return {
    code: 'CORES_OUT_OF_RANGE',
    path: 'spec.cpu.cores',
    message: `does not match any sizing policy of VirtualMachineClass "${name}": its ${cores} CPU core(s) fall outside the allowed ranges (${policies.map(shownRange).join(', ')}); set the number of cores (spec.cpu.cores) accordingly`,
  }
}

function step(value: number, { cores }: SizingPolicy): Violation | null {
  const nearest = nearestSteps(BigInt(value), {
    min: BigInt(cores.min),
    max: BigInt(cores.max),
    step: BigInt(cores.step ?? 1),
  })
  if (!nearest) return null
  return {
    code: 'CORES_OFF_STEP',
    path: 'spec.cpu.cores',
    message: `the number of CPU cores (${value}) does not match the sizing policy step; set the number of cores (spec.cpu.cores) to ${nearest.join(' or ')}`,
  }
}

/** A list that is missing or empty allows everything, as one of dedicatedCores does. */
function fraction({ coreFraction }: Cpu, policy: SizingPolicy): Violation | null {
  const { coreFractions: allowed = [], defaultCoreFraction = 100 } = policy
  const asked = coreFraction ?? defaultCoreFraction
  if (allowed.length === 0 || allowed.includes(asked)) return null
  return {
    code: 'CORE_FRACTION_NOT_ALLOWED',
    path: 'spec.cpu.coreFraction',
    message: `the CPU core fraction "${asked}%" is not allowed; set the core fraction (spec.cpu.coreFraction) to one of: ${allowed.map((each) => `${each}%`).join(', ')}`,
  }
}

function dedicated(
  { dedicatedCores: asked = false }: Cpu,
  { dedicatedCores: allowed = [] }: SizingPolicy,
): Violation | null {
  if (allowed.length === 0 || allowed.includes(asked)) return null
  return {
    code: asked ? 'DEDICATED_CORES_NOT_ALLOWED' : 'DEDICATED_CORES_REQUIRED',
    path: 'spec.cpu.dedicatedCores',
    message: `dedicated CPU cores are ${asked ? 'not allowed' : 'required'} by the sizing policy; set spec.cpu.dedicatedCores to ${!asked}`,
  }
}
