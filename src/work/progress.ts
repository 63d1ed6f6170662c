/** How far transfers are, in memory: what has to outlive a restart is written with the heartbeat of the job. */
export type Snapshot = {
  /** Bytes of the whole that have been received. */
  readonly received: number
  /** Bytes to come in all; null when the sender does not tell. */
  readonly total: number | null
  /** Tenths of a per cent, never less than before, 999 at most. Null without a total. */
  readonly tenths: number | null
  /** Bytes a second, since the beginning and over the last seconds. */
  readonly average: number
  readonly current: number
  /** Seconds that the rest takes at the current speed; null when that is not known, or nothing is left. */
  readonly remaining: number | null
}

/** The current speed is that of the last five seconds, measured in half seconds. */
const windowLength = 5000
const sampleEvery = 500
/** What a shorter time has shown foretells nothing. */
const foretellsAfter = 1000

export class Transfer {
  readonly #now: () => number
  readonly #begun: number
  readonly #samples: { at: number; received: number }[]
  #received = 0
  #total: number | null = null
  #from = 0
  #tenths: number

  /** @param floor tenths of a per cent that were shown already, by an earlier attempt */
  constructor(now: () => number, floor: number) {
    this.#now = now
    this.#begun = now()
    this.#tenths = floor
    this.#samples = [{ at: this.#begun, received: 0 }]
  }

  /** @param from bytes that came in an earlier attempt and are here */
  expect(total: number | null, from = 0): void {
    this.#total = total
    this.#from = from
  }

  add(bytes: number): void {
    this.#received += bytes
    const now = this.#now()
    const last = this.#samples.at(-1)
    if (last && now - last.at < sampleEvery) return
    this.#samples.push({ at: now, received: this.#received })
    this.#forgetBefore(now - windowLength)
  }

  /** The first sample stays the newest of those that are older than what is measured. */
  #forgetBefore(time: number): void {
    while ((this.#samples[1]?.at ?? Infinity) <= time) this.#samples.shift()
  }

  /** The highest progress so far, for the heartbeat. */
  get floor(): number {
    return this.snapshot().tenths ?? this.#tenths
  }

  snapshot(): Snapshot {
    if (this.#total) {
      const reached = Math.floor(((this.#from + this.#received) / this.#total) * 1000)
      this.#tenths = Math.max(this.#tenths, Math.min(reached, 999))
    }
    const now = this.#now()
    this.#forgetBefore(now - windowLength)
    const oldest = this.#samples[0] ?? { at: this.#begun, received: 0 }
    const received = this.#from + this.#received
    const current = speed(this.#received - oldest.received, now - oldest.at)
    const left =
      this.#total === null || now - this.#begun < foretellsAfter ? 0 : this.#total - received
    return {
      received,
      total: this.#total,
      tenths: this.#total === null ? null : this.#tenths,
      average: speed(this.#received, now - this.#begun),
      current,
      remaining: left > 0 && current > 0 ? Math.ceil(left / current) : null,
    }
  }
}

function speed(bytes: number, milliseconds: number): number {
  return milliseconds > 0 ? Math.round((bytes * 1000) / milliseconds) : 0
}

/** The transfers that are running, by the image's uid. */
export class Progress {
  readonly #now: () => number
  readonly #transfers = new Map<string, Transfer>()
  /** What was shown of images whose next attempt goes on from there. */
  readonly #shown = new Map<string, number>()
  readonly #watchers = new Set<(imageUid: string) => void>()

  constructor(now: () => number) {
    this.#now = now
  }

  begin(imageUid: string, floor: number): Transfer {
    const transfer = new Transfer(this.#now, floor)
    this.#transfers.set(imageUid, transfer)
    return transfer
  }

  /** Images whose transfers run. */
  get running(): Iterable<string> {
    return this.#transfers.keys()
  }

  /** Calls back when the transfer of an image has ended, until the returned function is called. */
  watchEnds(ended: (imageUid: string) => void): () => void {
    this.#watchers.add(ended)
    return () => void this.#watchers.delete(ended)
  }

  of(imageUid: string): Snapshot | null {
    return this.#transfers.get(imageUid)?.snapshot() ?? null
  }

  /** Tenths of a per cent that were shown by the transfer that runs, or by one before that broke off; 0 without any. */
  floor(imageUid: string): number {
    return this.#transfers.get(imageUid)?.floor ?? this.#shown.get(imageUid) ?? 0
  }

  end(imageUid: string, transfer: Transfer): void {
    if (this.#transfers.get(imageUid) !== transfer) return
    this.#transfers.delete(imageUid)
    for (const ended of this.#watchers) ended(imageUid)
  }

  /** The transfer breaks off; the next one of the image goes on from what was shown. */
  keep(imageUid: string): void {
    this.#shown.set(imageUid, this.floor(imageUid))
  }

  /** What comes next begins at nothing, or nothing comes. */
  forget(imageUid: string): void {
    this.#shown.delete(imageUid)
  }
}
