import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { configBytes } from '../../../src/pack/config.ts'
import { anyArtifact, artifact } from './artifacts.ts'

const read = (bytes: Buffer): unknown => JSON.parse(bytes.toString())

test('the configuration names the platform, the layer and the labels that consumers read', () => {
  expect(read(configBytes(artifact, 'arm64'))).toEqual({
    architecture: 'arm64',
    os: 'linux',
    config: {
      Labels: {
        'source-image-size': '1500',
        'source-image-virtual-size': '2361393152',
        'source-image-format': 'qcow2',
        'erofs-compatible-layers': 'true',
      },
    },
    rootfs: { type: 'layers', diff_ids: [artifact.layer] },
  })
})

test('the architecture is amd64 when the data source names none', () => {
  expect(read(configBytes(artifact, null))).toMatchObject({ architecture: 'amd64' })
})

test('the same disk has the same configuration wherever and whenever it came from', () => {
  fc.assert(
    fc.property(anyArtifact, anyArtifact, (one, other) => {
      const again = { ...one, source: other.source, created: other.created }
      expect(configBytes(again, null).equals(configBytes(one, null))).toBe(true)
    }),
  )
})
