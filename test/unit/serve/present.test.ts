import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { Presenter } from '../../../src/serve/api/present.ts'
import { Progress } from '../../../src/work/progress.ts'
import { ServerKey } from '../../../src/work/server-key.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'

const url = 'https://mirror.example/a.img'
const host = 'slipway.example'
const names = () => ({
  external: `https://${host}`,
  inCluster: `https://${host}`,
  registryHost: host,
})

test('what an earlier version kept of a signed URL is not shown', async () => {
  await using opened = await openCatalog()
  const { catalog, clock } = opened
  const key = new ServerKey(randomBytes(32))
  const presenter = new Presenter({ catalog, progress: new Progress(clock.now), key, names })
  const http = { url: `${url}?X-Amz-Signature=secret` }
  const image = await catalog.transaction(({ images }) =>
    images.add(newImage('a', { dataSource: { type: 'HTTP', http } })),
  )
  const shown = await presenter.show(image)
  expect(shown.dataSource.http).toEqual({ url })
  expect(JSON.stringify(shown)).not.toContain('secret')
})
