import { found, nothing, told, type Conclusion } from './cluster-virtual-image/conclusion.ts'
import { ensure } from './cluster-virtual-image/ensure.ts'
import { hasFinalizer, hold, type Held } from './cluster-virtual-image/finalizer.ts'
import { Kept, type Memory } from './cluster-virtual-image/kept.ts'
import { Links } from './cluster-virtual-image/links.ts'
import { occurrencesBetween } from './cluster-virtual-image/occurrences.ts'
import { isLeaving, remove } from './cluster-virtual-image/removal.ts'
import {
  conditionOf,
  saidOfImage,
  saidWhileAway,
  saidWhileLeaving,
  type Said,
} from './cluster-virtual-image/status.ts'
import type { Surroundings } from './cluster-virtual-image/surroundings.ts'
import { isOutdated, isRefused, wordsFor } from './cluster-virtual-image/trouble.ts'
import { differenceOf, writeStatus } from './cluster-virtual-image/write-status.ts'
import type { Mirrored } from './mirror.ts'
import type { Lane } from './queue.ts'
import { report } from './report.ts'
import { apiVersion, kind, type ClusterVirtualImage } from './resource.ts'

export type { Surroundings } from './cluster-virtual-image/surroundings.ts'

/** Between two writes of mere progress, in milliseconds. */
const progressEvery = 1000
/** What is overtaken within so many milliseconds, as an import that waits for no other one, is not written. */
const heldFor = 300

/**
 * The resources ClusterVirtualImage: what each look does depends on how things are, not on what has happened, so that it may
 * be done at any time, and again.
 */
export class ClusterVirtualImages {
  readonly #around: Surroundings
  readonly #kept = new Kept()
  readonly #links = new Links()

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** Puts into the queue whatever may have to be looked at, from now on, until the returned function is called. */
  watch(): () => void {
    const { resources, mirror } = this.#around
    for (const resource of resources.items()) this.#links.note(resource.metadata.name, resource)
    const ends = [
      resources.watch((name, resource) => this.#resourceChanged(name, resource)),
      mirror.watch((name) => (name === null ? this.#serviceChanged() : this.#imageChanged(name))),
    ]
    return () => {
      for (const end of ends) end()
    }
  }

  /** Everything is looked at: at the start, and now and then. */
  wakeAll(): void {
    const { resources, queue } = this.#around
    for (const resource of resources.items()) queue.add(resource.metadata.name, laneOf(resource))
  }

  /**
   * One look at a resource.
   * @throws what the API server fails with, and what is our own mistake: it is to be tried again
   */
  async reconcile(name: string, signal: AbortSignal): Promise<void> {
    const { resources, queue } = this.#around
    const resource = resources.get(name)
    if (!resource) {
      queue.forget(name)
      return this.#kept.forget(name)
    }
    try {
      await this.#look(resource, this.#kept.of(resource), signal)
    } catch (error) {
      if (!isOutdated(error)) throw error
      queue.retry(name)
    }
  }

  async #look(resource: ClusterVirtualImage, memory: Memory, signal: AbortSignal): Promise<void> {
    const leaves = resource.metadata.deletionTimestamp !== undefined
    const conclusion = leaves
      ? await this.#letGo(resource, memory, signal)
      : await this.#keep(await hold(resource, this.#around, signal), memory, signal)
    const latest = this.#around.resources.get(resource.metadata.name)
    if (latest?.metadata.uid === memory.uid) await this.#settle(latest, conclusion, memory, signal)
  }

  async #letGo(
    resource: ClusterVirtualImage,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<Conclusion> {
    if (!hasFinalizer(resource)) return nothing
    if (isLeaving(resource)) await this.#sayLeaving(resource, memory, signal)
    return await remove(this.#latest(resource), memory, this.#around, signal)
  }

  /** A status that the API server refuses must not keep the resource from going. */
  async #sayLeaving(resource: ClusterVirtualImage, memory: Memory, signal: AbortSignal) {
    const said = saidWhileLeaving(resource, this.#around.now())
    try {
      await this.#say(resource, { said, isFinding: true }, memory, signal)
    } catch (error) {
      if (!isRefused(error)) throw error
      const { name } = resource.metadata
      this.#around.log.warn({ err: error, image: name }, 'it is not said that it is being deleted')
    }
  }

  async #keep(held: Held, memory: Memory, signal: AbortSignal): Promise<Conclusion> {
    const { mirror } = this.#around
    const { resource } = held
    const image = this.#imageOf(resource)
    const isKnown = image !== null || resource.status?.phase !== undefined
    if (mirror.isAway && isKnown) return this.#away(resource, image, memory)
    if (image) return this.#shown(resource, image, memory)
    if (!mirror.isSynced && isKnown) return nothing
    return await ensure(held, memory, this.#around, signal)
  }

  #imageOf({ metadata: { name, uid } }: ClusterVirtualImage): Mirrored | null {
    const image = this.#around.mirror.get(name)
    return image?.ownerUid === uid ? image : null
  }

  #shown(resource: ClusterVirtualImage, image: Mirrored, memory: Memory): Conclusion {
    memory.asked = null
    return told(saidOfImage(resource, image, this.#sourceOf(resource, memory)))
  }

  /** What the service said before it went, and nobody was told yet, comes first. */
  #away(resource: ClusterVirtualImage, image: Mirrored | null, memory: Memory): Conclusion {
    const { mirror, now } = this.#around
    const isTold = !image || image.status.phase === resource.status?.phase
    if (!isTold) return this.#shown(resource, image, memory)
    const known = image && saidOfImage(resource, image, this.#sourceOf(resource, memory))
    return found(saidWhileAway(resource, known, wordsFor(mirror.trouble), now()))
  }

  /** The uid of the resource that the image was made of; what is known earliest holds. */
  #sourceOf({ spec, status }: ClusterVirtualImage, { sourceUid }: Memory): string | null {
    const { objectRef } = spec.dataSource
    if (!objectRef) return null
    const { resources } = this.#around
    return sourceUid ?? status?.sourceUID ?? resources.get(objectRef.name)?.metadata.uid ?? null
  }

  #latest(resource: ClusterVirtualImage): ClusterVirtualImage {
    const latest = this.#around.resources.get(resource.metadata.name)
    return latest?.metadata.uid === resource.metadata.uid ? latest : resource
  }

  async #settle(
    resource: ClusterVirtualImage,
    { said, again, isFinding }: Conclusion,
    memory: Memory,
    signal: AbortSignal,
  ): Promise<void> {
    const { queue } = this.#around
    const { name } = resource.metadata
    if (said) {
      const wait = this.#waits(resource, said, isFinding, memory)
      if (wait > 0) queue.addAfter(name, wait, 'later')
      else await this.#say(resource, { said, isFinding }, memory, signal)
    }
    if (again === null) queue.forget(name)
    else queue.retry(name, again)
  }

  /** Milliseconds for which this need not be written yet. */
  #waits(resource: ClusterVirtualImage, said: Said, isFinding: boolean, memory: Memory): number {
    const now = this.#around.now()
    if (!isFinding && isPassing(resource, said)) {
      memory.heldSince ??= now
      return rest(memory.heldSince, heldFor, now)
    }
    const { wroteAt } = memory
    if (wroteAt === null || differenceOf(resource, said, memory) !== 'moving') return 0
    return rest(wroteAt, progressEvery, now)
  }

  async #say(
    resource: ClusterVirtualImage,
    { said, isFinding }: { readonly said: Said; readonly isFinding: boolean },
    memory: Memory,
    signal: AbortSignal,
  ): Promise<void> {
    const occurrences = occurrencesBetween(resource.status, said, isFinding)
    const concerned = { apiVersion, kind, metadata: resource.metadata }
    await report(concerned, occurrences, memory.told, this.#around, signal)
    await writeStatus(resource, said, memory, this.#around, signal)
    memory.told.clear()
  }

  #resourceChanged(name: string, resource: ClusterVirtualImage | null): void {
    this.#links.note(name, resource)
    this.#around.queue.add(name, resource ? laneOf(resource) : 'first')
    this.#wakeThoseBehind(name)
  }

  /** It may be another version now, or have other settings, and take what it refused. */
  #serviceChanged(): void {
    this.#kept.forgetRefusals()
    this.wakeAll()
  }

  #imageChanged(name: string): void {
    const resource = this.#around.resources.get(name)
    if (!resource) return
    const image = this.#imageOf(resource)
    this.#around.queue.add(name, image && isSaid(image, resource) ? 'later' : 'first')
    this.#wakeThoseBehind(name)
  }

  /** Those that wait for it, and have no image of their own yet. */
  #wakeThoseBehind(name: string): void {
    const { resources, queue } = this.#around
    for (const other of this.#links.to(name)) {
      const resource = resources.get(other)
      if (resource && !this.#imageOf(resource)) queue.add(other)
    }
  }
}

/** Milliseconds that are left of a while; none when the clock was set back. */
function rest(since: number, lasting: number, now: number): number {
  return now < since ? 0 : since + lasting - now
}

/** Who has been looked at before keeps nobody waiting who has not. */
function laneOf({ metadata, status }: ClusterVirtualImage): Lane {
  return status?.phase === undefined || metadata.deletionTimestamp !== undefined ? 'first' : 'later'
}

/** Whether the resource says of the image what the service says, but for its progress. */
function isSaid({ status }: Mirrored, resource: ClusterVirtualImage): boolean {
  const [is, says] = [conditionOf(status.conditions, 'Ready'), readyOf(resource)]
  return status.phase === resource.status?.phase && is?.reason === says?.reason
}

function readyOf({ status }: ClusterVirtualImage) {
  return status?.conditions?.find(({ type }) => type === 'Ready')
}

/** A first word that the next one overtakes, mostly at once. */
function isPassing({ status }: ClusterVirtualImage, { phase, conditions }: Said): boolean {
  if (status?.phase !== undefined || phase !== 'Pending') return false
  const ready = conditionOf(conditions, 'Ready')
  return ready?.reason === 'ProvisioningNotStarted'
}
