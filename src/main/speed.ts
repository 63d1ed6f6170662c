import { formatSpan } from '../image/duration.ts'
import { formatSize } from '../image/size.ts'

/** What counts for the present speed, in milliseconds, and how often it is looked at. */
const recent = 10_000
const lookEvery = 250

type Look = { readonly at: number; readonly bytes: number }

/** How fast bytes come or go at present. */
export class Speed {
  readonly #now: () => number
  #looks: Look[] = []

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** @param bytes that are through; fewer than before begin anew */
  saw(bytes: number): void {
    const at = this.#now()
    const last = this.#looks.at(-1)
    if (last && bytes < last.bytes) this.#looks = []
    else if (last && at - last.at < lookEvery) return
    this.#looks = [...this.#looks.filter((look) => at - look.at < recent), { at, bytes }]
  }

  /** What went before is of no account. */
  forget(): void {
    this.#looks = []
  }

  /** Bytes a second; null while it is too early to tell. */
  get perSecond(): number | null {
    const [first, last] = [this.#looks.at(0), this.#looks.at(-1)]
    if (!first || !last || last.at === first.at) return null
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at)
  }

  /** `1.2Gi of 2Gi, 120Mi/s, 7s left`. @param total bytes; null where nobody knows */
  told(bytes: number, total: number | null): string {
    const speed = this.perSecond
    const left = total === null || !speed ? null : Math.ceil((total - bytes) / speed)
    return [
      `${formatSize(bytes)}${total === null ? '' : ` of ${formatSize(total)}`}`,
      ...(speed === null ? [] : [`${formatSize(Math.round(speed))}/s`]),
      ...(left === null ? [] : [`${formatSpan(left)} left`]),
    ].join(', ')
  }
}
