import { Refusal } from '../errors.ts'
import type { Call } from './context.ts'

/** The last handler of a path: whatever came this far asks with another method (RFC 9110 section 15.5.6). */
export function only(...methods: readonly string[]) {
  return (c: Call): never => {
    c.header('allow', methods.join(', '))
    throw new Refusal(
      'METHOD_NOT_ALLOWED',
      `${shownPath(c.req.path)} takes ${methods.join(', ')}, not ${c.req.method}; /openapi.json lists what there is`,
    )
  }
}

/** A path as it may stand in messages and logs: what follows `/upload/` is somebody's credential. */
export function shownPath(path: string): string {
  const shown = path.replace(/\/upload\/.*/s, '/upload/…')
  return shown.length > 300 ? `${shown.slice(0, 300)}…` : shown
}
