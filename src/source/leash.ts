export type Leash = { readonly signal: AbortSignal; readonly letGo: () => void }

/**
 * A signal that follows another one until it is let go. Sockets and undici leave their listeners on the signal they are
 * given, so one that lives as long as the program must not reach them.
 */
export function leash(signal: AbortSignal): Leash {
  const own = new AbortController()
  const follow = () => own.abort(signal.reason)
  if (signal.aborted) follow()
  else signal.addEventListener('abort', follow, { once: true })
  return { signal: own.signal, letGo: () => signal.removeEventListener('abort', follow) }
}
