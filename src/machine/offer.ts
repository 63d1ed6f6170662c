import { createHash } from 'node:crypto'

/** What the CPU of a node can do, as KubeVirt's labels tell. Nodes that offer the same share it. */
export type Offer = {
  readonly models: ReadonlySet<string>
  readonly features: ReadonlySet<string>
  /** The labels that tell it; each has the value `true`. */
  readonly labels: ReadonlySet<string>
  /** The same for the same labels. */
  readonly digest: string
}

const ofCpu = /^cpu-(model|feature)\.node\.(?:kubevirt|virtualization\.deckhouse)\.io\//

/** Nodes with the same CPU have the same labels, and hundreds of them: more kinds of nodes are not remembered. */
const mostKept = 1024
/** There are some hundreds of features and models. */
const mostWords = 8192

/** Whether a label tells of the CPU. */
export function isOfCpu(key: string, value: string): boolean {
  return value === 'true' && ofCpu.test(key)
}

/** Offers by the labels that tell them, so that few are kept for many nodes. */
export class Offers {
  readonly #known = new Map<string, Offer>()
  /** Each word once: nodes have nearly all of them in common. */
  readonly #words = new Map<string, string>()
  /** The next node most often offers the same. */
  #last: Offer | null = null

  /** @param labels those of a node that tell of its CPU, in the same order for the same ones */
  of(labels: readonly string[]): Offer {
    if (this.#last && isToldBy(labels, this.#last)) return this.#last
    this.#last = this.#find(labels)
    return this.#last
  }

  #find(labels: readonly string[]): Offer {
    const digest = createHash('sha256').update(labels.join('\n')).digest('base64')
    const known = this.#known.get(digest)
    if (known) return known
    const offer = this.#read(labels, digest)
    if (this.#known.size >= mostKept) this.#known.clear()
    this.#known.set(digest, offer)
    return offer
  }

  #read(labels: readonly string[], digest: string): Offer {
    const found = { models: new Set<string>(), features: new Set<string>() }
    for (const label of labels) {
      const [prefix, kind] = ofCpu.exec(label) ?? ['']
      const words = kind === 'model' ? found.models : found.features
      words.add(this.#once(label.slice(prefix.length)))
    }
    return { ...found, labels: new Set(labels), digest }
  }

  #once(word: string): string {
    const known = this.#words.get(word)
    if (known !== undefined) return known
    if (this.#words.size >= mostWords) this.#words.clear()
    this.#words.set(word, word)
    return word
  }
}

function isToldBy(labels: readonly string[], offer: Offer): boolean {
  return labels.length === offer.labels.size && labels.every((label) => offer.labels.has(label))
}
