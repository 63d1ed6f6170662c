import { Problem } from './api.js'
import { fewAtOnce } from './few.js'
/** @import { Descriptor, Manifest, Registry } from './registry.js' */

/** Tags, and referrers, of one page of a list. */
const page = 100
/** Requests at the same time. */
const atOnce = 4

/** What refers to a manifest: null until it was asked for. @typedef {{ items: readonly Referrer[], hasMore: boolean, problem: string } | null} Referrers */
/** @typedef {{ readonly descriptor: Descriptor, referrers: Referrers }} Referrer */
/** @typedef {{ readonly name: string, manifest: Manifest | null, referrers: Referrers, problem: string }} Tag */

/**
 * One repository while somebody looks at it. What is asked for ends with `leave`, and an answer that comes later changes
 * nothing but this, which nobody sees any more.
 */
export class Repository {
  /** @type {Tag[]} */
  tags = []
  hasMore = false
  isRead = false
  problem = ''
  name
  #registry
  #changed
  #isReading = false
  #left = new AbortController()

  /** @param {string} name @param {Registry} registry @param {() => void} changed told after every change */
  constructor(name, registry, changed) {
    this.name = name
    this.#registry = registry
    this.#changed = changed
  }

  leave() {
    this.#left.abort()
  }

  /** The next tags, each with what it leads to as that comes in. */
  async more() {
    if (this.#isReading) return
    this.#isReading = true
    const last = this.tags.at(-1)?.name ?? ''
    this.problem = await this.#trying(async (signal) => {
      const { items, hasMore } = await this.#registry.tags(this.name, last, page, signal)
      const added = items.map((name) => tagOf(name))
      this.tags.push(...added)
      this.hasMore = hasMore
      this.isRead = true
      this.#isReading = false
      this.#changed()
      await fewAtOnce(added, atOnce, (tag) => this.#fill(tag))
    })
    this.isRead = true
    this.#isReading = false
    this.#changed()
  }

  /** @param {Tag} tag */
  async #fill(tag) {
    tag.problem = await this.#trying(async (signal) => {
      tag.manifest = await this.#registry.manifest(this.name, tag.name, signal)
      await this.refer(tag, tag.manifest.digest)
    })
    this.#changed()
  }

  /** The next of what refers to a digest. @param {{ referrers: Referrers }} subject @param {string} digest */
  async refer(subject, digest) {
    const { items = [] } = subject.referrers ?? {}
    const found = { items, hasMore: false }
    const problem = await this.#trying(async (signal) => {
      const last = items.at(-1)?.descriptor.digest ?? ''
      const answer = await this.#registry.referrers(this.name, digest, last, page, signal)
      const added = answer.items.map((descriptor) => ({ descriptor, referrers: null }))
      found.items = [...items, ...added]
      found.hasMore = answer.hasMore
    })
    subject.referrers = { ...found, problem }
    this.#changed()
  }

  /** @param {Tag} tag @throws {Problem} */
  async untag(tag) {
    await this.#registry.remove(this.name, tag.name)
    this.tags = this.tags.filter((other) => other !== tag)
    this.#changed()
  }

  /** The manifest of a tag, with all its tags. @param {string} digest @throws {Problem} */
  async remove(digest) {
    await this.#registry.remove(this.name, digest)
    this.tags = this.tags.filter(({ manifest }) => manifest?.digest !== digest)
    this.#changed()
  }

  /**
   * @param {(signal: AbortSignal) => Promise<void>} work
   * @returns {Promise<string>} what went wrong, empty for nothing
   */
  async #trying(work) {
    try {
      await work(this.#left.signal)
      return ''
    } catch (error) {
      if (this.#left.signal.aborted) return ''
      if (!(error instanceof Problem)) throw error
      return error.sentence
    }
  }
}

/** @param {string} name @returns {Tag} */
function tagOf(name) {
  return { name, manifest: null, referrers: null, problem: '' }
}
