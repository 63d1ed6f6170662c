import { describe, expect } from 'vitest'
import { tokenOf, writeCallers } from '../support/callers.ts'
import { needsTool } from '../support/clients.ts'
import { disk } from '../support/disks.ts'
import { schemathesis } from '../support/fuzz/schemathesis.ts'
import { RegistryClient, locationOf } from '../support/registry-client.ts'
import { get, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { settings } from './settings.ts'
import { tryOut } from './trial.ts'

/** One after the other, in turn: all of the document with and without credentials, and every case that it defines. */
const runs = [
  { hasCallers: false, phases: ['examples', 'fuzzing', 'stateful'] },
  { hasCallers: true, phases: ['coverage'] },
  { hasCallers: true, phases: ['fuzzing', 'stateful'] },
  { hasCallers: false, phases: ['coverage'] },
] as const
/** Of each operation; a campaign has more time. */
const examples = settings.minutes === null ? 2 : 30

const bytes = disk(65_536)

describe.skipIf(!needsTool('schemathesis'))('the OpenAPI document', () => {
  tryOut('fuzz-openapi', async (trial) => {
    await using folder = await temporaryFolder()
    for (const { index, random } of trial.rounds()) {
      const run = runs[index % runs.length] ?? runs[0]
      const authorization = run.hasCallers ? `Bearer ${tokenOf('admin')}` : null
      await using service = await startService(await variables(folder.path, run.hasCallers))
      const known = await furnish(service, run.hasCallers)
      const { base } = service
      const { phases } = run
      const [path, seed] = [folder.path, random.below(2 ** 31)]
      trial.tried += await schemathesis({
        base,
        folder: path,
        seed,
        examples,
        phases,
        authorization,
        known,
      })
      trial.note('runs')
      expect((await get(`${base}/healthz`)).status).toBe(200)
      await service.stop()
    }
  })
})

async function variables(folder: string, hasCallers: boolean) {
  // Whatever name a source has, nobody is asked for it.
  const proxies = { HTTP_PROXY: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9' }
  if (!hasCallers) return proxies
  const { tokens, passwords } = await writeCallers(folder)
  return { ...proxies, SLIPWAY_TOKENS_FILE: tokens, SLIPWAY_HTPASSWD_FILE: passwords }
}

/** Something in each state that a request may name. */
async function furnish(service: Service, hasCallers: boolean) {
  const rest = hasCallers ? service.rest.as(tokenOf('admin')) : service.rest
  const headers = hasCallers ? { authorization: `Bearer ${tokenOf('admin')}` } : {}
  expect((await send(await rest.createUpload('kept'), bytes)).status).toBe(201)
  const url = await rest.createUpload('waiting')
  await rest.createFrom('failed', 'http://nowhere.example/disk.img')
  const manifest = await get(`${service.base}/v2/cvi/kept/manifests/latest`, headers)
  const client = new RegistryClient(() => service.base)
  const begun = await client.ask('POST', '/v2/team/app/blobs/uploads/', { headers })
  return {
    name: ['kept', 'waiting', 'failed', 'ubuntu-img'],
    token: [url.slice(url.lastIndexOf('/') + 1)],
    repository: ['cvi/kept', 'team/app'],
    reference: ['latest'],
    digest: [manifest.headers.get('docker-content-digest') ?? ''],
    session: [locationOf(begun).split('/').at(-1) ?? ''],
  }
}
