import { Refusal } from '../../errors.ts'
import { shown } from '../request.ts'
import type { Arrival } from '../travel.ts'

/** A digest is about the bytes themselves, so they have to come as they are. */
export function refuseCoding({ answer, request }: Arrival): void {
  const coding = answer.field('content-encoding')?.trim().toLowerCase() || 'identity'
  if (coding === 'identity') return
  throw new Refusal(
    'SOURCE_REFUSED',
    `the registry sends ${shown(request.url)} in a content coding that was not asked for; ask its operator for identity`,
  )
}
