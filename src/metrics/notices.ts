import { Counter, Gauge, type Registry } from 'prom-client'

/** What waits for a subscriber. Ages are seconds, of the oldest that waits. */
export type NoticeLevel = {
  readonly subscriber: string
  readonly waiting: number
  readonly undelivered: number
  readonly age: number
}

/** What subscribers are told: they are few, and their names stand in a file. */
export class NoticeMetrics {
  readonly #tries: Counter
  readonly #waiting: Gauge
  readonly #undelivered: Gauge
  readonly #age: Gauge
  #read: () => Promise<readonly NoticeLevel[]> = async () => []

  constructor(registry: Registry) {
    const registers = [registry]
    this.#tries = new Counter({
      name: 'slipway_notifications_total',
      help: 'Tries to tell subscribers of events, by outcome: delivered, failed (tried again), undelivered (given up), dropped (too many waited)',
      labelNames: ['subscriber', 'outcome'],
      registers,
    })
    const gauge = (name: string, help: string) =>
      new Gauge({ name, help, labelNames: ['subscriber'], registers })
    this.#waiting = gauge('slipway_notifications_waiting', 'Events that wait to be delivered')
    this.#undelivered = gauge('slipway_notifications_undelivered', 'Events that were given up')
    this.#age = gauge(
      'slipway_notifications_oldest_seconds',
      'Age of the oldest event that waits to be delivered, 0 without any',
    )
  }

  count(subscriber: string, outcome: string, times = 1): void {
    this.#tries.inc({ subscriber, outcome }, times)
  }

  /** Levels are asked for when the metrics are. */
  levelsFrom(read: () => Promise<readonly NoticeLevel[]>): void {
    this.#read = read
  }

  async refresh(): Promise<void> {
    const levels = await this.#read()
    for (const gauge of [this.#waiting, this.#undelivered, this.#age]) gauge.reset()
    for (const { subscriber, waiting, undelivered, age } of levels) {
      this.#waiting.set({ subscriber }, waiting)
      this.#undelivered.set({ subscriber }, undelivered)
      this.#age.set({ subscriber }, age)
    }
  }
}
