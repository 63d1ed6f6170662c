import { pino, type Logger } from 'pino'
import pretty from 'pino-pretty'

export type Log = Logger

export type LogOptions = {
  readonly level: string
  readonly format: 'json' | 'pretty' | null
}

/** One JSON line an event on standard output, or lines for people on a terminal. Never a token, a password, a signed URL. */
export function openLog({ level, format }: LogOptions): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime }
  const wanted = format ?? (process.stdout.isTTY ? 'pretty' : 'json')
  return wanted === 'pretty'
    ? pino(options, prettyStream())
    : pino(options, pino.destination({ sync: true }))
}

function prettyStream() {
  return pretty({ colorize: process.stdout.isTTY, ignore: 'pid,hostname', sync: true })
}
