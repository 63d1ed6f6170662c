import { kind, type ClusterVirtualImage } from '../resource.ts'

/** Which resources refer to which. */
export class Links {
  readonly #targets = new Map<string, string>()
  readonly #sources = new Map<string, Set<string>>()

  /** @param resource null when there is none of this name any more */
  note(name: string, resource: ClusterVirtualImage | null): void {
    const reference = resource?.spec.dataSource.objectRef
    const target = reference?.kind === kind ? reference.name : undefined
    const before = this.#targets.get(name)
    if (before === target) return
    if (before !== undefined) this.#unlink(name, before)
    if (target !== undefined) this.#link(name, target)
  }

  /** Names of those that refer to it. */
  to(target: string): readonly string[] {
    return [...(this.#sources.get(target) ?? [])]
  }

  #link(name: string, target: string): void {
    this.#targets.set(name, target)
    const sources = this.#sources.get(target) ?? new Set()
    this.#sources.set(target, sources.add(name))
  }

  #unlink(name: string, target: string): void {
    this.#targets.delete(name)
    const sources = this.#sources.get(target)
    sources?.delete(name)
    if (sources?.size === 0) this.#sources.delete(target)
  }
}
