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

/** One column: somebody who can do the work that is measured. */
export type Contender = {
  readonly name: string
  /** The process whose memory and processor time are told; null when it is no server. */
  readonly pid: number | null
  /** Everything that has to be done before the clock runs. */
  readonly begin: () => Promise<Step>
}

export type Step = {
  /** What the clock measures. */
  readonly run: () => Promise<void>
  /** Checks what came of it, and leaves no bytes behind. */
  readonly end: () => Promise<void>
}

/** What Slipway has to reach: its speed divided by the other one's, in the same round. */
export type Target = { readonly beside: string; readonly atLeast: number }

export type Measurement = {
  readonly name: string
  readonly title: string
  /** Without these nothing can be measured. */
  readonly needs: readonly Program[]
  readonly targets: readonly Target[]
  /** Starts what it takes. The first contender is Slipway. */
  readonly open: (bench: Bench, resources: AsyncDisposableStack) => Promise<Ready>
}

export type Ready = {
  /** Bytes that one step moves. */
  readonly bytes: number
  readonly contenders: readonly (Contender | null)[]
}
