import type { Image } from '../../src/client/images.ts'
import { imageSchema } from '../../src/image/status.ts'

/** An image as REST shows it. */
export function shownImage(name: string, status: object = {}): Image {
  return imageSchema.parse({
    name,
    uid: `uid-of-${name}`,
    generation: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    dataSource: { type: 'HTTP', http: { url: 'https://example.com/disk.img' } },
    status: {
      phase: 'Ready',
      target: { registryURL: `registry.example.com/cvi/${name}` },
      conditions: [],
      ...status,
    },
  })
}

/** A condition that says what is the matter. */
export function trouble(reason: string, message: string): object {
  return {
    type: 'Ready',
    status: 'False',
    reason,
    message,
    lastTransitionTime: '2026-01-01T00:00:00.000Z',
    observedGeneration: 1,
  }
}
