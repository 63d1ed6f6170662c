import { get } from './rest.ts'

/** What a program tells Prometheus, as it was at one moment. */
export class Samples {
  readonly #values: ReadonlyMap<string, number>
  readonly text: string

  constructor(text: string) {
    this.text = text
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    this.#values = new Map(
      lines.map((line) => {
        const end = line.lastIndexOf(' ')
        return [line.slice(0, end), Number(line.slice(end + 1))]
      }),
    )
  }

  /** Of a series as it is written, labels in their order; 0 for one that is not there. */
  value(series: string): number {
    return this.#values.get(series) ?? 0
  }

  /** Of all series of a name together. */
  total(name: string): number {
    const all = [...this.#values].filter(([series]) => series.split('{')[0] === name)
    return all.reduce((sum, [, value]) => sum + value, 0)
  }

  has(series: string): boolean {
    return this.#values.has(series)
  }

  /** Of each family that has a series. */
  get labels(): ReadonlyMap<string, readonly string[]> {
    const found = [...this.#values.keys()].map((series) => {
      const [name = ''] = series.split('{')
      const family = this.families.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '')
      const labels = [...series.matchAll(/[{,](\w+)="/g)].map(([, label = '']) => label)
      return [family, labels.filter((label) => label !== 'le')] as const
    })
    return new Map(found)
  }

  /** Families by name, with their kinds. */
  get families(): ReadonlyMap<string, string> {
    const types = this.text.matchAll(/^# TYPE (\S+) (\S+)$/gm)
    return new Map([...types].map(([, name = '', kind = '']) => [name, kind]))
  }
}

export async function readSamples(url: string, headers: Record<string, string> = {}) {
  return new Samples(await (await get(url, headers)).text())
}
