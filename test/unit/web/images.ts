import { readFileSync } from 'node:fs'
import type { ImageBody } from '../../../src/image/status.ts'

type Status = ImageBody['status']
type Condition = Status['conditions'][number]

/** An image as the page hears of it. */
export function imageOf(name: string, changes: Partial<ImageBody> = {}): ImageBody {
  return {
    name,
    uid: `uid-${name}`,
    generation: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    dataSource: { type: 'Upload' },
    status: statusOf({ target: { registryURL: `registry.example.com/cvi/${name}` } }),
    ...changes,
  }
}

export function statusOf(changes: Partial<Status> = {}): Status {
  const target = { registryURL: 'registry.example.com/cvi/name' }
  return { phase: 'Ready', target, conditions: [], ...changes }
}

/** A status that has failed for this reason, or has not got that far yet. */
export function failedOf(reason: string, message: string, phase: Status['phase'] = 'Failed') {
  return statusOf({ phase, conditions: [condition(reason, message)] })
}

function condition(reason: string, message: string): Condition {
  const lastTransitionTime = '2026-01-01T00:00:00.000Z'
  return {
    type: 'Ready',
    status: 'False',
    reason,
    message,
    lastTransitionTime,
    observedGeneration: 1,
  }
}

/** A file of this project, as it stands in the checkout. */
export function sourceText(path: string): string {
  return readFileSync(new URL(`../../../src/${path}`, import.meta.url), 'utf8')
}
