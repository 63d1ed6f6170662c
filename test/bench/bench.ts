import type { Program } from './programs.ts'

/** What all measurements stand on. */
export type Bench = {
  /** Temporary, on the disk that is measured. */
  readonly folder: string
  readonly file: RandomFile
  readonly rounds: number
  /** Milliseconds that one step over the whole file may take before it counts as stuck. */
  readonly within: number
  readonly signal: AbortSignal
  readonly say: (line: string) => void
  /** Makes a contender, or notes why there is none: its programs are not installed. */
  readonly unlessMissing: <Made>(
    programs: readonly Program[],
    make: () => Promise<Made>,
  ) => Promise<Made | null>
}

export type RandomFile = {
  readonly path: string
  readonly size: number
  /** Hex. */
  readonly sha256: string
}

/** What is counted a second. */
export type Unit = 'bytes' | 'requests'

/** One column: somebody who can do the work that is measured. */
export type Contender = {
  readonly name: string
  /** The process whose memory and processor time are told; null when it is no server. */
  readonly pid: number | null
  /** Everything that has to be done before the clock runs. */
  readonly begin: () => Promise<Step>
}

export type Step = {
  /** What the clock measures, if it does not tell by itself how much it did in what time. */
  readonly run: () => Promise<Paced | void>
  /** Checks what came of it, and leaves no bytes behind. */
  readonly end: () => Promise<void>
}

/** What was done in a time that was given. */
export type Paced = {
  readonly amount: number
  readonly seconds: number
  readonly latency: Latency
}

/** Seconds that half of the requests took at most, and all but one in a hundred. */
export type Latency = { readonly p50: number; readonly p99: number }

/** What Slipway has to reach: its speed divided by the best other one's, in the same round. */
export type Target = { readonly beside: readonly string[]; readonly atLeast: number }

export type Measurement = {
  readonly name: string
  /** Another name, which those have in common that belong together. */
  readonly group?: string
  readonly title: string
  readonly unit: Unit
  /** Without these nothing can be measured. */
  readonly needs: readonly Program[]
  readonly targets: readonly Target[]
  /** Starts what it takes. The first contender is Slipway. */
  readonly open: (bench: Bench, resources: AsyncDisposableStack) => Promise<Ready>
}

export type Ready = {
  /** Bytes that one step moves; of no meaning where steps are paced. */
  readonly bytes: number
  readonly contenders: readonly (Contender | null)[]
}
