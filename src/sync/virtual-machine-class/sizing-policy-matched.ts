import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { Outage, Refusal } from '../../errors.ts'
import { chooseClass, isNamed } from '../../machine/choose-class.ts'
import { evaluate } from '../../machine/evaluate.ts'
import { isDefault, virtualMachineClassSchema } from '../../machine/virtual-machine-class.ts'
import { virtualMachineSchema } from '../../machine/virtual-machine.ts'
import { apiVersion } from '../resource.ts'
import { machineSchema, type Machine } from './machine.ts'
import { virtualMachineClass, type MachineClass } from './resource.ts'
import type { Surroundings } from './surroundings.ts'
import { cut, joined, problemsIn, shown } from './words.ts'

/** The condition of machines that says whether they fit their class. */
const type = 'SizingPolicyMatched'

/** As others wrote them. */
const conditionsSchema = z.array(z.looseObject({})).default([])
type Conditions = z.output<typeof conditionsSchema>

type Verdict = {
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

/**
 * Says of a machine whether it fits its class; only when that is not said yet, and where conditions are a list.
 * @throws Refusal CLUSTER_CONFLICT when the machine has changed meanwhile
 */
export async function sayWhetherMatched(
  machine: Machine,
  { api, resources, machines, now }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace = '', resourceVersion } = machine.metadata
  const before = conditionsSchema.safeParse(machine.status?.conditions).data
  if (!before) return
  const verdict = verdictOn(machine, [...resources.items()])
  const conditions = withVerdict(before, verdict, machine, now())
  if (isDeepStrictEqual(conditions, before)) return
  const path = `/apis/${apiVersion}/namespaces/${namespace}/virtualmachines/${name}/status`
  // The others' conditions may be one list as a whole, which a writer of one of them would replace.
  const body = { metadata: { resourceVersion }, status: { conditions } }
  const answer = await unlessMissing(api.patch(path, 'merge', body, {}, signal))
  if (answer !== null) machines.learn(machineIn(answer))
}

/** Null when the machine is gone, or machines have no status by itself. */
async function unlessMissing(patched: Promise<unknown>): Promise<unknown> {
  try {
    return await patched
  } catch (error) {
    if (error instanceof Refusal && error.code === 'CLUSTER_NOT_FOUND') return null
    throw error
  }
}

function machineIn(answer: unknown): Machine {
  const { data, error } = machineSchema.safeParse(answer)
  if (data) return data
  const message = 'the API server answers with no VirtualMachine that can be read'
  throw new Outage('CLUSTER_UNAVAILABLE', message, { cause: error })
}

function withVerdict(
  before: Conditions,
  verdict: Verdict,
  { metadata: { generation } }: Machine,
  now: number,
): Conditions {
  const own = before.find((condition) => condition['type'] === type)
  const isSame = own?.['status'] === verdict.status && own['reason'] === verdict.reason
  const since = isSame ? own['lastTransitionTime'] : undefined
  const condition = {
    type,
    ...verdict,
    lastTransitionTime: since ?? new Date(now).toISOString(),
    ...(generation !== undefined && { observedGeneration: generation }),
  }
  return own ? before.map((each) => (each === own ? condition : each)) : [...before, condition]
}

function verdictOn({ metadata, spec }: Machine, all: readonly MachineClass[]): Verdict {
  const machine = virtualMachineSchema.safeParse({
    apiVersion,
    kind: 'VirtualMachine',
    metadata: { name: metadata.name },
    spec,
  })
  if (!machine.data) return unknown('the machine', machine.error)
  const classes = all
    .filter(isOpen(spec.virtualMachineClassName))
    .flatMap((each) => classOf(each).data ?? [])
  const chosen = chooseClass(classes, machine.data)
  if ('code' in chosen) return missing(chosen.message, spec.virtualMachineClassName, all)
  const violations = evaluate(chosen, machine.data)
  return violations.length === 0
    ? { status: 'True', reason: type, message: '' }
    : { status: 'False', reason: 'SizingPolicyNotMatched', message: joined(violations) }
}

/** A class on its way out is for those that name it already. */
function isOpen(name: string | undefined): (each: MachineClass) => boolean {
  return ({ metadata }) => metadata.deletionTimestamp === undefined || metadata.name === name
}

/** A class that is there, and cannot be read, is not missing. */
function missing(message: string, name: string | undefined, all: readonly MachineClass[]): Verdict {
  const wanted = all.find((each) => (isNamed(name) ? each.metadata.name === name : isDefault(each)))
  const error = wanted && classOf(wanted).error
  if (error) return unknown('the class', error)
  return { status: 'False', reason: 'VirtualMachineClassNotFound', message: cut(message) }
}

const read = new WeakMap<MachineClass, ReturnType<typeof readClass>>()

/** Many machines are held against few classes. */
function classOf(resource: MachineClass): ReturnType<typeof readClass> {
  const known = read.get(resource) ?? readClass(resource)
  read.set(resource, known)
  return known
}

function readClass({ metadata, spec }: MachineClass) {
  const { kind } = virtualMachineClass
  return virtualMachineClassSchema.safeParse({ apiVersion, kind, metadata, spec })
}

function unknown(what: string, error: z.core.$ZodError): Verdict {
  const message = cut(`${what} cannot be read: ${shown(problemsIn(error))}`)
  return { status: 'Unknown', reason: 'SizingPolicyNotEvaluated', message }
}
