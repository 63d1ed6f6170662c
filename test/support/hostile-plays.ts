import { digestOf } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import { tarOf } from '../fixtures/tar-by-hand.ts'
import { disk, mebibyte } from './disks.ts'
import type { Lie, TokenDemand } from './hostile-registry.ts'
import { token, type Stage } from './hostile-stage.ts'
import type { Play } from './http-neighbour.ts'

/** An image that is as it should be, and the ways to give it otherwise. */

export const bytes = disk(mebibyte)
export const layer = tarOf({ name: 'disk/x.img', data: bytes })

export const image = (stage: Stage) => stage.registry.image('1', [layer])
export const withManifest = (manifest: Lie) => (stage: Stage) =>
  stage.registry.image('1', [layer], { manifest })
export const withConfig = (config: Lie) => (stage: Stage) =>
  stage.registry.image('1', [layer], { config })
export const withLayer = (lie: Lie) => (stage: Stage) =>
  stage.registry.image('1', [layer], { layers: [lie] })
export const always =
  (play: Play): Lie =>
  () =>
    play

export const demanding = (demand: (stage: Stage) => TokenDemand) => (stage: Stage) => {
  stage.registry.demandToken({ token, ...demand(stage) })
  return image(stage)
}
export const issuing = (issue: Play) => demanding(({ issuer }) => ({ issue, issuer }))

/** What the manifest of that image is. */
export function document({ registry }: Stage) {
  const rootfs = { type: 'layers', diff_ids: [digestOf(layer)] }
  const config = registry.blob(Buffer.from(JSON.stringify({ rootfs })))
  const layers = [registry.blob(layer)]
  return { schemaVersion: 2, config: { ...config, mediaType: mediaTypes.config }, layers }
}
