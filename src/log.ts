import { pino, type Logger } from 'pino'
import pretty from 'pino-pretty'

export type Log = Logger

export type LogOptions = {
  readonly level: string
  readonly format: 'json' | 'pretty' | null
  /** Standard output without it. Commands keep that for their result. */
  readonly to?: 'stdout' | 'stderr'
  /** What else every line says, when it is written. */
  readonly also?: (() => object) | null
}

/** One JSON line an event on standard output, or lines for people on a terminal. Never a token, a password, a signed URL. */
export function openLog({ level, format, to = 'stdout', also = null }: LogOptions): Log {
  const serializers = { err: told }
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers,
    ...(also && { mixin: also }),
  }
  const wanted = format ?? (process[to].isTTY ? 'pretty' : 'json')
  return wanted === 'pretty'
    ? pino(options, prettyStream(to))
    : pino(options, pino.destination({ dest: process[to].fd, sync: true }))
}

/** What is told of an error beside its words and where it came from. */
const facts = new Set(['code', 'errno', 'syscall', 'address', 'port', 'fields', 'retryAfter'])

/** Errors of libraries carry what they were at work on, the bytes that a source sent for instance; that is not told. */
function told(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { type, message, stack, ...others } = pino.stdSerializers.err(error)
  const known = Object.entries(others).filter(([name]) => facts.has(name))
  const several: unknown = error instanceof AggregateError ? error.errors.map(told) : undefined
  return {
    type,
    message,
    stack,
    ...Object.fromEntries(known),
    ...(several !== undefined && { several }),
  }
}

function prettyStream(to: 'stdout' | 'stderr') {
  const { isTTY: colorize, fd: destination } = process[to]
  return pretty({ colorize, destination, ignore: 'pid,hostname', sync: true })
}
