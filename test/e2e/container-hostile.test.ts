import { afterAll, beforeAll, describe, test } from 'vitest'
import { digestOf } from '../../src/image/digest.ts'
import { mediaTypes } from '../../src/image/media-type.ts'
import {
  always,
  document,
  layer,
  withConfig,
  withLayer,
  withManifest,
} from '../support/hostile-plays.ts'
import { lies, type Lie } from '../support/hostile-registry.ts'
import { expectFailed, type Row, type Stage } from '../support/hostile-stage.ts'
import { startService, type Service } from '../support/service.ts'

let service: Service
const resources = new AsyncDisposableStack()
beforeAll(async () => {
  const variables = { SLIPWAY_LOG_LEVEL: 'trace', SLIPWAY_IMPORT_RETRY_FOR: '1s' }
  service = resources.use(await startService(variables))
})
afterAll(() => resources.disposeAsync())

/** Other bytes, and what is told of them is true. */
const another: Lie = (honest) => {
  const other = lies.otherBytes(honest)
  return telling(digestOf(other.bytes ?? Buffer.alloc(0)))(other)
}
const telling =
  (digest: string): Lie =>
  ({ headers, ...honest }) => ({
    ...honest,
    headers: { ...headers, 'docker-content-digest': digest },
  })

function byDigest(stage: Stage, lie: Lie): string {
  const { digest } = stage.registry.manifest('1', document(stage), lie)
  return stage.registry.reference('1').replace(/:1$/, `@${digest}`)
}

/** So many indexes around an image, each in the next one. */
function indexed(stage: Stage, depth: number, more: Record<string, unknown> = {}): string {
  const platform = { os: 'linux', architecture: 'amd64' }
  let inner = stage.registry.manifest('1', document(stage))
  for (let left = depth; left > 0; left -= 1) {
    const manifests = [{ ...inner, platform, ...more }]
    const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests }
    inner = stage.registry.manifest('1', index, (honest) => honest, mediaTypes.index)
  }
  return stage.registry.reference('1')
}

function bare({ registry }: Stage, bytes: unknown, mediaType: string): string {
  registry.manifest('1', bytes, (honest) => honest, mediaType)
  return registry.reference('1')
}

const documents: readonly Row[] = [
  {
    what: 'a manifest that has not the digest that is asked for',
    play: (stage) => byDigest(stage, another),
    code: 'INVALID_OCI',
    message: /^the manifest that .+ has the digest sha256:\w{64}, expected sha256:\w{64}; push/,
  },
  {
    what: 'a manifest that has not the digest that is told',
    play: withManifest(telling(digestOf(layer))),
    code: 'INVALID_OCI',
    message: /has the digest sha256:\w{64}, expected sha256:\w{64}; push/,
  },
  {
    what: 'a manifest with a path for a digest',
    play: withManifest(telling('sha256:../../etc/passwd')),
    code: 'INVALID_OCI',
    message: /has "sha256:\.\.\/\.\.\/etc\/passwd" for a Docker-Content-Digest; push/,
  },
  {
    what: 'a manifest that never ends',
    play: withManifest(lies.endless),
    code: 'INVALID_OCI',
    message: /has more than the 4194304 bytes that a manifest may have; push/,
  },
  {
    what: 'an HTML page for a manifest',
    play: (stage) => bare(stage, Buffer.from('<html>log in</html>'), mediaTypes.manifest),
    code: 'INVALID_OCI',
    message: /^the image's manifest is not valid: /,
  },
  {
    what: "a manifest in docker's first schema",
    play: (stage) =>
      bare(
        stage,
        { schemaVersion: 1, fsLayers: [] },
        'application/vnd.docker.distribution.manifest.v1+prettyjws',
      ),
    code: 'INVALID_OCI',
    message: /^docker schema 1 manifests are not read; push the image again with a current client$/,
  },
  {
    what: 'an index that says another size of its manifest',
    play: (stage) => indexed(stage, 1, { size: 7 }),
    code: 'INVALID_OCI',
    message: /^the manifest sha256:\w{64} has \d+ bytes, the index that names it says 7; push/,
  },
  {
    what: 'an index in an index, and so on',
    play: (stage) => indexed(stage, 10),
    code: 'INVALID_OCI',
    message: /^the image is an index that leads through more than 4 others; name/,
  },
  {
    what: 'an index without the platform',
    play: (stage) => indexed(stage, 1, { platform: { os: 'linux', architecture: 's390x' } }),
    code: 'INVALID_OCI',
    message: /^the image has linux\/s390x, not linux\/amd64$/,
  },
  {
    what: 'a configuration with another digest',
    play: withConfig(lies.otherBytes),
    code: 'INVALID_OCI',
    message: /^the configuration sha256:\w{64} of the image has the digest sha256:\w{64}; push/,
  },
  {
    what: 'a configuration that never ends',
    play: withConfig(lies.endless),
    code: 'INVALID_OCI',
    message: /^the registry says the blob sha256:\w{64} has more bytes, its manifest \d+; push/,
  },
]

const statuses: readonly Row[] = [
  {
    what: 'no manifest (404)',
    play: ({ registry }) => registry.reference('missing'),
    code: 'SOURCE_REFUSED',
    message: /^the registry has no such image as .+\/team\/image:missing; check/,
  },
  {
    what: 'no layer (404)',
    play: withLayer(always({ status: 404 })),
    code: 'SOURCE_REFUSED',
    message: /^the registry does not have the blob sha256:\w{64} of .+, which a manifest there/,
  },
  {
    what: 'no configuration (404)',
    play: withConfig(always({ status: 404 })),
    code: 'SOURCE_REFUSED',
    message: /^the registry does not have the blob sha256:\w{64} of .+, which a manifest there/,
  },
  {
    what: 'nobody its manifest (403)',
    play: withManifest(always({ status: 403 })),
    code: 'SOURCE_REFUSED',
    message: /^the source answered 403 Forbidden for http:.+\/manifests\/1; check the credentials$/,
  },
  {
    what: 'nobody its layer (403)',
    play: withLayer(always({ status: 403 })),
    code: 'SOURCE_REFUSED',
    message: /^the source answered 403 Forbidden for http:.+\/blobs\/.+; check the credentials$/,
  },
  {
    what: 'an error for a manifest, again and again (500)',
    play: withManifest(always({ status: 500 })),
    code: 'SOURCE_UNAVAILABLE',
    message: /^the source answered 500 Internal Server Error for .+; check that the source is up$/,
    again: true,
  },
]

describe('an import ends in Failed from a registry that gives', () => {
  test.each([...documents, ...statuses])('$what', async (row) => {
    await expectFailed(service, row)
  })
})
