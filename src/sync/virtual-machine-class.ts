import { keysOfClass } from '../machine/node-class.ts'
import { isDefault } from '../machine/virtual-machine-class.ts'
import { workOut } from '../machine/work-out.ts'
import { applyStatus, isWritten } from './apply-status.ts'
import { isOutdated, isRefused } from './cluster-virtual-image/trouble.ts'
import { hasFinalizer, hold, release } from './custom-resource.ts'
import { report } from './report.ts'
import { before, remember } from './virtual-machine-class/discovered.ts'
import { Kept, policiesOf, type Memory } from './virtual-machine-class/kept.ts'
import { demandUnused } from './virtual-machine-class/in-use.ts'
import { Users, type Machine } from './virtual-machine-class/machine.ts'
import { Fingerprints } from './virtual-machine-class/node.ts'
import { ofNodes, ofPolicies } from './virtual-machine-class/occurrences.ts'
import { virtualMachineClass as kind, type MachineClass } from './virtual-machine-class/resource.ts'
import { sayWhetherMatched } from './virtual-machine-class/sizing-policy-matched.ts'
import { lastUse, said } from './virtual-machine-class/status.ts'
import type { Surroundings } from './virtual-machine-class/surroundings.ts'

export type { Surroundings } from './virtual-machine-class/surroundings.ts'

/** Changes of nodes, and of who names a class, within so many milliseconds are looked at together. */
const gatheredFor = 1000
/** What needs nodes or machines that are not known yet is looked at again so often, in milliseconds. */
const unknownFor = 1000

const [ofClass, ofMachine] = ['class ', 'machine ']

/** The resources VirtualMachineClass, and what is said of the machines that name them. */
export class VirtualMachineClasses {
  readonly #around: Surroundings
  readonly #kept = new Kept()
  #users = new Users()
  #fingerprints = new Fingerprints()
  /** What machines are held against, of each class. */
  readonly #limits = new Map<string, string>()
  readonly #wanted = new Map<string, string>()
  /** The labels that selectors look at; null when that has to be found out. */
  #keys: ReadonlySet<string> | null = null

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** Puts into the queue whatever may have to be looked at, from now on, until the returned function is called. */
  watch(): () => void {
    const { resources, nodes, machines } = this.#around
    this.#noteAll()
    const ends = [
      resources.watch((name, resource) => this.#classChanged(name, resource)),
      machines.watch((name, machine) => this.#machineChanged(name, machine)),
      nodes.watch((name, node) => {
        if (this.#fingerprints.isNew(name, node, this.#keysInUse())) this.#nodesChanged()
      }),
    ]
    return () => {
      for (const end of ends) end()
    }
  }

  /** Of all classes and machines. */
  *keys(): Generator<string> {
    const { resources, machines } = this.#around
    for (const { metadata } of resources.items()) yield ofClass + metadata.name
    for (const machine of machines.items()) yield ofMachine + nameOf(machine)
  }

  /**
   * One look at a class or at a machine.
   * @throws what the API server fails with, and what is our own mistake: it is to be tried again
   */
  async reconcile(key: string, signal: AbortSignal): Promise<void> {
    try {
      if (key.startsWith(ofClass)) await this.#lookAtClass(key.slice(ofClass.length), signal)
      else await this.#lookAtMachine(key.slice(ofMachine.length), signal)
      this.#around.queue.forget(key)
    } catch (error) {
      if (!isOutdated(error)) throw error
      this.#around.queue.retry(key)
    }
  }

  async #lookAtClass(name: string, signal: AbortSignal): Promise<void> {
    const { resources, nodes, queue } = this.#around
    const resource = resources.get(name)
    if (!resource) return this.#kept.forget(name)
    if (this.#lacks(resource)) queue.addAfter(ofClass + name, unknownFor)
    if (isLeaving(resource)) await this.#letGo(resource, signal)
    else if (nodes.isSynced) await this.#keep(resource, signal)
  }

  /** Whether something has to be known before all is said and done. */
  #lacks(resource: MachineClass): boolean {
    const { nodes, machines } = this.#around
    const isAboutMachines = isLeaving(resource) || lastUse(resource).length > 0
    return !nodes.isSynced || (isAboutMachines && !machines.isSynced)
  }

  async #keep(resource: MachineClass, signal: AbortSignal): Promise<void> {
    const held = await hold(kind, resource, this.#around, signal)
    await this.#say(held.resource, signal)
  }

  /** As long as machines name it, or may, it stays. */
  async #letGo(resource: MachineClass, signal: AbortSignal): Promise<void> {
    if (!hasFinalizer(kind, resource)) return
    const { name, uid } = resource.metadata
    const mayGo = this.#around.machines.isSynced && this.#users.of(name).length === 0
    if (this.#around.nodes.isSynced) await this.#sayLeaving(resource, signal)
    const latest = this.#around.resources.get(name)
    if (!mayGo || latest?.metadata.uid !== uid) return
    await demandUnused(name, this.#around.api, signal)
    await release(kind, latest, this.#around, signal)
  }

  /** A status that the API server refuses must not keep the class from going. */
  async #sayLeaving(resource: MachineClass, signal: AbortSignal): Promise<void> {
    try {
      await this.#say(resource, signal)
    } catch (error) {
      if (!isRefused(error)) throw error
      const { name } = resource.metadata
      this.#around.log.warn({ err: error, name }, 'it is not said that the class is being deleted')
    }
  }

  /** The one place where the status of a class is written. */
  async #say(resource: MachineClass, signal: AbortSignal): Promise<void> {
    const memory = this.#kept.of(resource)
    const { nodes, machines, now } = this.#around
    const all = Array.from(nodes.items(), ({ node }) => node)
    const out = workOut(resource.spec, all, before(resource))
    const latest = await remember(resource, out.discovered, this.#around, signal)
    const users = machines.isSynced ? this.#users.of(resource.metadata.name) : null
    const { trouble } = machines
    const defaults = this.#defaultsBeside(latest)
    const status = said(latest, out, { users, trouble, defaults }, now())
    await this.#tell(latest, ofNodes(latest, status), memory, signal)
    await this.#tellOfPolicies(latest, memory, signal)
    if (isWritten(latest, status, memory)) return
    await applyStatus(kind, latest, status, memory, this.#around, signal)
    memory.told.clear()
  }

  async #tellOfPolicies(resource: MachineClass, memory: Memory, signal: AbortSignal) {
    const policies = policiesOf(resource)
    if (policies !== memory.policies)
      await this.#tell(resource, [ofPolicies(resource)], memory, signal)
    memory.policies = policies
  }

  async #tell(
    resource: MachineClass,
    occurrences: Parameters<typeof report>[1],
    { told }: Memory,
    signal: AbortSignal,
  ): Promise<void> {
    const { apiVersion } = kind
    const concerned = { apiVersion, kind: kind.kind, metadata: resource.metadata }
    await report(concerned, occurrences, told, this.#around, signal)
  }

  async #lookAtMachine(name: string, signal: AbortSignal): Promise<void> {
    const { resources, machines, queue } = this.#around
    const machine = machines.get(name)
    if (!machine || machine.metadata.deletionTimestamp !== undefined) return
    if (!resources.isSynced) return queue.addAfter(ofMachine + name, unknownFor)
    await sayWhetherMatched(machine, this.#around, signal)
  }

  /** What happened while nobody watched is not known. */
  #noteAll(): void {
    const { resources, nodes, machines } = this.#around
    this.#keys = null
    this.#users = new Users()
    this.#fingerprints = new Fingerprints()
    this.#limits.clear()
    for (const resource of resources.items()) this.#noteLimits(resource.metadata.name, resource)
    for (const machine of machines.items()) this.#users.note(nameOf(machine), machine)
    for (const node of nodes.items()) {
      this.#fingerprints.isNew(node.metadata.name, node, this.#keysInUse())
    }
  }

  #classChanged(name: string, resource: MachineClass | null): void {
    const { queue } = this.#around
    this.#keys = null
    // Our own status comes back, too, and nodes may have changed since.
    if (this.#isWanted(name, resource)) queue.add(ofClass + name)
    else queue.addAfter(ofClass + name, gatheredFor)
    if (!this.#noteLimits(name, resource)) return
    this.#wakeMachines(name)
    this.#wakeDefaults()
  }

  /** Whether it was changed by who wants something of it, and not only in what is said of it. */
  #isWanted(name: string, resource: MachineClass | null): boolean {
    const { uid, generation, annotations, deletionTimestamp } = resource?.metadata ?? {}
    const wanted = JSON.stringify([uid, generation, annotations, deletionTimestamp])
    const isNew = this.#wanted.get(name) !== wanted
    if (resource) this.#wanted.set(name, wanted)
    else this.#wanted.delete(name)
    return isNew
  }

  /** Those that name no class have the default one, which may be another now. */
  #wakeMachines(className: string): void {
    const { machines, queue } = this.#around
    for (const machine of machines.items()) {
      const { virtualMachineClassName: named = '' } = machine.spec
      if (named === className || named === '') queue.add(ofMachine + nameOf(machine), 'later')
    }
  }

  /** Whether there are several is said of each of them. */
  #wakeDefaults(): void {
    const { resources, queue } = this.#around
    for (const resource of resources.items()) {
      if (isDefault(resource)) queue.add(ofClass + resource.metadata.name)
    }
  }

  #defaultsBeside({ metadata: { name } }: MachineClass): readonly string[] {
    const all = Array.from(this.#around.resources.items())
    return all
      .filter((each) => isDefault(each) && each.metadata.name !== name)
      .map(({ metadata }) => metadata.name)
  }

  #noteLimits(name: string, resource: MachineClass | null): boolean {
    const { annotations = {}, deletionTimestamp } = resource?.metadata ?? {}
    const wanted = [annotations, deletionTimestamp]
    const limits = resource ? JSON.stringify([policiesOf(resource), ...wanted]) : undefined
    if (this.#limits.get(name) === limits) return false
    if (limits === undefined) return this.#limits.delete(name)
    this.#limits.set(name, limits)
    return true
  }

  #machineChanged(name: string, machine: Machine | null): void {
    const { queue } = this.#around
    for (const className of this.#users.note(name, machine)) {
      queue.addAfter(ofClass + className, gatheredFor)
    }
    if (machine) queue.add(ofMachine + name, 'later')
  }

  #nodesChanged(): void {
    const { resources, queue } = this.#around
    for (const { metadata } of resources.items())
      queue.addAfter(ofClass + metadata.name, gatheredFor)
  }

  #keysInUse(): ReadonlySet<string> {
    const { resources } = this.#around
    this.#keys ??= new Set([...resources.items()].flatMap(({ spec }) => keysOfClass(spec)))
    return this.#keys
  }
}

function isLeaving({ metadata }: MachineClass): boolean {
  return metadata.deletionTimestamp !== undefined
}

function nameOf({ metadata: { name, namespace } }: Machine): string {
  return `${namespace ?? ''}/${name}`
}
