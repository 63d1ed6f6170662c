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

const domains = ['node.kubevirt.io', 'node.virtualization.deckhouse.io']
const prefixes = domains.flatMap((domain) => [
  { kind: 'models', prefix: `cpu-model.${domain}/` } as const,
  { kind: 'features', prefix: `cpu-feature.${domain}/` } as const,
])

/** Nodes with the same CPU have the same labels, and hundreds of them: more kinds of nodes are not remembered. */
const mostKept = 1024
/** There are some hundreds of features and models. */
const mostWords = 8192

const ofCpu = new RegExp(
  `^(?:${prefixes.map(({ prefix }) => prefix.replaceAll('.', String.raw`\.`)).join('|')})`,
)

/** Whether a label tells of the CPU. */
export function isOfCpu(key: string, value: string): boolean {
  return value === 'true' && ofCpu.test(key)
}

/** Offers by the labels that tell them, so that few are kept for many nodes. */
export class Offers {
  readonly #known = new Map<string, Offer>()
  /** Each word once: nodes have nearly all of them in common. */
  readonly #words = new Map<string, string>()

  /** @param labels those of a node that tell of its CPU, in the same order for the same ones */
  of(labels: readonly string[]): Offer {
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
      const of = prefixes.find(({ prefix }) => label.startsWith(prefix))
      if (of) found[of.kind].add(this.#once(label.slice(of.prefix.length)))
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
