import type { Image } from '../catalog/images.ts'
import { Outage, Refusal, type Failure } from '../errors.ts'
import { formatSize } from '../image/size.ts'
import { Stopped } from './active.ts'
import { isBroken } from './body.ts'

/** What clients of uploads are told. */

/** How an upload goes on of which `offset` bytes are here, of `total` where somebody has told. */
export function wayOn(offset: number, total: number | null): string {
  const isPart = offset > 0 && offset !== total
  return isPart ? `send the rest with curl -C ${offset} -T` : 'send the file again'
}

export function empty(): Refusal {
  return new Refusal('UPLOAD_EMPTY', 'the upload has no bytes; check the file and send it again')
}

export function gone(image: Image, how: 'expired' | 'finished'): Refusal {
  const { name, phase, ready } = image
  const reason = phase === 'Failed' ? ` (${ready.message})` : ''
  const why =
    how === 'expired'
      ? 'the time for this upload is over'
      : `this upload URL was used already; the image "${name}" is ${phase}${reason}`
  return new Refusal(
    'UPLOAD_GONE',
    `${why}; ask for a new one with POST /api/v1/images/${name}/retry, or delete and create the image`,
  )
}

/** The URL of an attempt after which there was another one. */
export function outdated({ name }: Image): Refusal {
  return new Refusal(
    'UPLOAD_GONE',
    `this upload URL was of an earlier attempt; the image "${name}" waits at another one: copy it from uploadCommand in its status`,
  )
}

export function unknown(): Refusal {
  return new Refusal(
    'UPLOAD_UNKNOWN',
    'this upload URL is not known; copy it again from uploadCommand in the status of the image',
  )
}

export function cancelled(): Refusal {
  return new Refusal(
    'UPLOAD_GONE',
    'the upload was given up; ask for a new upload URL with retry, or delete the image',
  )
}

/** @param holder who sends at present, null when all bytes are here */
export function busy(holder: { readonly who: string; readonly since: number } | null): Refusal {
  if (!holder) {
    return new Refusal(
      'UPLOAD_BUSY',
      'all bytes of this upload are here, and the image is being finished; wait until it is Ready',
    )
  }
  const since = new Date(holder.since).toISOString()
  return new Refusal(
    'UPLOAD_BUSY',
    `${holder.who} is uploading this image since ${since}; wait until it has ended`,
  )
}

export function broken(received: number): Outage {
  return new Outage(
    'UPLOAD_INTERRUPTED',
    `the connection of the upload broke after ${received} bytes (${formatSize(received)})`,
  )
}

/** A stopped transfer and a broken connection, in words. */
export function explained(error: unknown, signal: AbortSignal, received: number): unknown {
  const reason: unknown = signal.aborted ? signal.reason : error
  if (reason instanceof Stopped) return stoppedBy(reason)
  if (reason instanceof Refusal) return reason
  return isBroken(error) ? broken(received) : error
}

function stoppedBy({ why }: Stopped): Failure {
  if (why === 'shutdown') return new Outage('SHUTTING_DOWN', 'the service is being restarted')
  if (why === 'taken over') {
    return new Outage('UPLOAD_INTERRUPTED', 'another request goes on with this upload')
  }
  if (why === 'idle') return new Outage('UPLOAD_INTERRUPTED', 'no further bytes were sent')
  const what = why === 'expired' ? 'the time for this upload is over' : 'the image was deleted'
  return new Refusal(
    'UPLOAD_GONE',
    `${what}; ask for a new upload URL with retry, or create it again`,
  )
}
