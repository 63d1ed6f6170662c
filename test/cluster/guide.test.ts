import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { needsCluster } from '../support/cluster/binaries.ts'
import { startCluster, type Cluster } from '../support/cluster/cluster.ts'
import { startCompanion } from '../support/cluster/companion.ts'
import { lineInGuide, manifestInGuide } from '../support/cluster/guide-text.ts'
import { openGuide, type Guide } from '../support/cluster/guide.ts'
import { typed } from '../support/cluster/typed.ts'
import { needs } from '../support/programs.ts'

/** The administrator's guide, word for word: its manifests, its commands, its tables. */

const able = [
  needsCluster(),
  needs('openssl', 'apt-get install openssl'),
  needs('curl', 'apt-get install curl'),
  needs('jq', 'apt-get install jq'),
].every(Boolean)

const header =
  'NAME          PHASE   CDROM   PROGRESS   STOREDSIZE   UNPACKEDSIZE   REGISTRY URL                                 AGE'

describe.skipIf(!able)('the guide', () => {
  const held = new AsyncDisposableStack()
  let cluster: Cluster
  let guide: Guide

  beforeAll(async () => {
    cluster = held.use(await startCluster())
    guide = held.use(await openGuide())
    await cluster.applyCrds()
    const { kubeconfig } = cluster
    held.use(await startCompanion({ kubeconfig, service: guide.service.base }))
  })
  afterAll(() => held.disposeAsync())

  /** A line of the guide, as somebody types it. */
  const type = async (line: string) => await typed(cluster, line, guide.variables)

  async function apply(name: string): Promise<void> {
    const said = await cluster.apply(manifestInGuide(name))
    expect(said).toBe(`clustervirtualimage.virtualization.deckhouse.io/${name} created\n`)
  }

  async function reaches(name: string, phase: string): Promise<void> {
    const is = `--for=jsonpath={.status.phase}=${phase}`
    await cluster.kubectl('wait', is, `clustervirtualimage/${name}`, '--timeout=50s')
  }

  async function table(command: string): Promise<readonly string[]> {
    return (await type(command)).trimEnd().split('\n')
  }

  test('takes an image from an HTTP server, and one from a container registry', async () => {
    await apply('ubuntu-img')
    await apply('ubuntu-2204')
    await reaches('ubuntu-img', 'Ready')
    await reaches('ubuntu-2204', 'Ready')
    const [first, ...rows] = await table(lineInGuide('kubectl get clustervirtualimage -o wide'))
    expect(`# ${first}`).toBe(lineInGuide(`# ${header}`))
    expect(rows).toEqual([row('ubuntu-2204', '2.2Gi'), row('ubuntu-img', '2.2Gi')])
    const [, plain] = await table('kubectl get clustervirtualimage ubuntu-2204')
    expect(plain).toMatch(/^ubuntu-2204 {3}Ready {3}false {3}100% {7}\d+s$/)
  })

  test('takes an upload by the command that the resource shows', async () => {
    await apply('some-image')
    await reaches('some-image', 'WaitForUserUpload')
    const shown = await type(
      lineInGuide(
        'kubectl get clustervirtualimages some-image -o json | jq .status.uploadCommand -r',
      ),
    )
    expect(shown).toMatch(
      /^curl https:\/\/virtualization\.example\.com\/upload\/[\w-]{32} -T example\.iso\n$/,
    )
    await type(
      lineInGuide(
        'curl -L http://download.cirros-cloud.net/0.5.1/cirros-0.5.1-x86_64-disk.img -o cirros.img',
      ),
    )
    await type(shown.replace('example.iso', 'cirros.img'))
    await reaches('some-image', 'Ready')
    const rows = await table(lineInGuide('kubectl get clustervirtualimages -o wide'))
    expect(rows).toContainEqual(row('some-image', '112Mi'))
  })

  test('asked for the hosts of the guide alone', () => {
    const asked = new Set(guide.proxy.asked.map(({ target }) => target))
    expect([...asked].toSorted()).toEqual([
      'auth.docker.io:443',
      'cloud-images.ubuntu.com:443',
      'download.cirros-cloud.net:443',
      'http://download.cirros-cloud.net/0.5.1/cirros-0.5.1-x86_64-disk.img',
      'registry-1.docker.io:443',
      'virtualization.example.com:443',
    ])
  })
})

/** A line of the wide table for a disk that is there. */
function row(name: string, unpacked: string) {
  const url = `dvcr.d8-virtualization.svc/cvi/${name}`
  const [size, there] = [unpacked.replace('.', '\\.'), url.replaceAll('.', '\\.')]
  const fields = [name, 'Ready', 'false', '100%', '[\\d.]+[KMG]i', size, there, '\\d+s']
  return expect.stringMatching(new RegExp(`^${fields.join(' {3,}')}$`))
}
