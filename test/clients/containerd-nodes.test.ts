import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../bench/peers/server.ts'
import { passwordLine, tokenLine, tokenOf } from '../support/callers.ts'
import { startContainerd, type Containerd } from '../support/clients-daemon.ts'
import { clientHome, needsRoot, said, type Home } from '../support/clients.ts'
import { disk, mebibyte } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'

const able = [
  needs('containerd', 'apt-get install containerd'),
  needs('ctr', 'apt-get install containerd'),
  needsRoot('containerd'),
].every(Boolean)

const nodes = new URL('../../deploy/nodes/', import.meta.url)
/** Whoever else is asked first is away: Spegel in the one, Dragonfly in the other. */
const examples = ['hosts.toml', 'hosts-dragonfly.toml']
const registry = 'slipway.slipway.svc'
const native = ['--snapshotter', 'native']

describe.skipIf(!able).each(examples)('a node with deploy/nodes/%s', (example) => {
  const resources = new AsyncDisposableStack()
  let home: Home
  let daemon: Containerd
  let service: Service

  beforeAll(async () => {
    home = resources.use(await clientHome())
    daemon = resources.use(await startContainerd(home))
    await writeFile(home.at('htpasswd'), await passwordLine('node', 'secret'))
    await writeFile(home.at('tokens'), tokenLine('ci', 'editor'))
    service = resources.use(
      await startService({
        SLIPWAY_HTPASSWD_FILE: home.at('htpasswd'),
        SLIPWAY_TOKENS_FILE: home.at('tokens'),
        SLIPWAY_REGISTRY_HOST: registry,
      }),
    )
  })
  afterAll(() => resources.disposeAsync())

  const pull = (namespace: string) => {
    const known = ['--hosts-dir', home.at('certs.d')]
    const asked = ['images', 'pull', ...known, ...native, `${registry}/cvi/guest:latest`]
    return home.attempt('ctr', ...daemon.address, '-n', namespace, ...asked)
  }

  /** The example, with the addresses of this test, and nothing on the node that others would have pulled to. */
  async function writeHosts(change: (text: string) => string): Promise<void> {
    const text = (await readFile(new URL(example, nodes), 'utf8'))
      .replaceAll('https://images.example.com', service.base)
      .replaceAll(/127\.0\.0\.1:(?:30020|4001)/g, `127.0.0.1:${await freePort()}`)
    await mkdir(home.at(`certs.d/${registry}`), { recursive: true })
    await writeFile(home.at(`certs.d/${registry}/hosts.toml`), change(text))
  }

  test('pulls by the name that the status shows, with the password that stands there', async () => {
    const rest = service.rest.as(tokenOf('ci'))
    await send(await rest.createUpload('guest'), disk(mebibyte))
    expect((await rest.ready('guest')).status.target?.registryURL).toBe(`${registry}/cvi/guest`)
    await writeHosts((text) => text)
    expect(said(await pull('known'))).toContain('done')
    await writeHosts((text) => text.replace(/^authorization.*$/gm, ''))
    const refused = await pull('unknown')
    expect(refused.code).not.toBe(0)
    expect(said(refused)).toMatch(/401|authorization failed/)
  })
})
