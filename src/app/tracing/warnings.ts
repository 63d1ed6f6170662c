import { diag, DiagLogLevel } from '@opentelemetry/api'
import type { Log } from '../../log.ts'

/** That the collector is away is told so often, in milliseconds. */
const sayEvery = 60_000

const quiet = () => {}

/** What OpenTelemetry complains of goes to the log, now and then: each export that fails would be a line. */
export function tellWarnings(log: Log): void {
  let said = Number.NEGATIVE_INFINITY
  let untold = 0
  const warn = (message: string) => {
    untold += 1
    if (performance.now() - said < sayEvery) return
    said = performance.now()
    log.warn({ times: untold, why: withoutUrls(message) }, 'traces cannot be sent')
    untold = 0
  }
  const logger = { error: warn, warn, info: quiet, debug: quiet, verbose: quiet }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
}

/** The address of a collector may hold a key. */
function withoutUrls(message: string): string {
  return message.replaceAll(/https?:\/\/\S+/g, '…').slice(0, 500)
}
