import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { qcow2 } from '../../fixtures/qcow2.ts'
import { certify, type Certificates } from '../../unit/source/certificates.ts'
import { tarball, types } from '../clients-layout.ts'
import { redirectTo, startHostileRegistry, type HostileRegistry } from '../hostile-registry.ts'
import { content, startNeighbour, type Neighbour } from '../http-neighbour.ts'
import { startProxy, type Proxy } from '../proxy.ts'
import { startService, type Service, type Variables } from '../service.ts'
import { temporaryFolder } from '../temporary.ts'
import { startTlsFront } from '../tls-front.ts'

/** As the guide's tables show them. */
const ubuntuSize = 2_361_393_152n
const cirrosSize = 117_440_512n

const hosts = {
  images: 'cloud-images.ubuntu.com',
  registry: 'registry-1.docker.io',
  issuer: 'auth.docker.io',
  cirros: 'download.cirros-cloud.net',
  /** Where the service is, for people. */
  public: 'virtualization.example.com',
} as const

const ubuntuPath =
  '/minimal/releases/jammy/release-20230615/ubuntu-22.04-minimal-cloudimg-amd64.img'
const cirrosPath = '/0.5.1/cirros-0.5.1-x86_64-disk.img'

/** The guide's world: its hosts by their names, behind a proxy, and the service that people reach by its name, too. */
export type Guide = AsyncDisposable & {
  readonly service: Service
  readonly proxy: Proxy
  /** What programs on the user's machine are given, so that they find the hosts and trust them. */
  readonly variables: Variables
}

/** Use `needs('openssl', …)` first. */
export async function openGuide(): Promise<Guide> {
  await using undo = new AsyncDisposableStack()
  const folder = undo.use(await temporaryFolder())
  const tls = await certify(...Object.values(hosts).map((host) => `DNS:${host}`))
  const trusted = join(folder.path, 'ca.pem')
  await writeFile(trusted, tls.ca)
  const ports = new Map<string, number>()
  const proxy = undo.use(await startProxy({ port: (target) => ports.get(target) ?? nowhere }))
  const images = undo.use(await startNeighbour({ tls }))
  images.serve(ubuntuPath, { bytes: disk(ubuntuSize), ranges: 'honest', etag: '"20230615"' })
  const issuer = undo.use(await startNeighbour({ tls }))
  const registry = undo.use(await startDockerHub(tls, issuer))
  const cirros = undo.use(await startCirros(tls))
  const service = undo.use(
    await startService({
      HTTPS_PROXY: proxy.url(),
      SSL_CERT_FILE: trusted,
      SLIPWAY_PUBLIC_URL: `https://${hosts.public}`,
      SLIPWAY_REGISTRY_HOST: 'dvcr.d8-virtualization.svc',
    }),
  )
  const front = undo.use(await startTlsFront(tls, () => service.base))
  ports
    .set(`${hosts.images}:443`, images.port)
    .set(`${hosts.registry}:443`, registry.neighbour.port)
    .set(`${hosts.issuer}:443`, issuer.port)
    .set(`${hosts.cirros}:443`, cirros.tls.port)
    .set(`${hosts.cirros}:80`, cirros.plain.port)
    .set(`${hosts.public}:443`, front.port)
  const held = undo.move()
  return {
    service,
    proxy,
    // curl knows the proxy for http in lower case alone.
    variables: { http_proxy: proxy.url(), HTTPS_PROXY: proxy.url(), SSL_CERT_FILE: trusted },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Nobody listens there. */
const nowhere = 1

/** A disk of the size that is told; what fills its file is noise behind its tables. */
function disk(size: bigint): Buffer<ArrayBuffer> {
  const head = qcow2({ size })
  return Buffer.concat([head, content(2_097_152)])
}

/** The image that the guide's Dockerfile makes, as docker pushes it, for whoever shows a token of the issuer. */
async function startDockerHub(tls: Certificates, issuer: Neighbour): Promise<HostileRegistry> {
  const registry = await startHostileRegistry({ tls }, 'username/ubuntu2204')
  const layer = await tarball({ 'disk/ubuntu2204.img': disk(ubuntuSize) })
  const config = JSON.stringify({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers' } })
  const document = {
    schemaVersion: 2,
    mediaType: types.dockerManifest,
    config: {
      ...registry.blob(Buffer.from(config)),
      mediaType: 'application/vnd.docker.container.image.v1+json',
    },
    layers: [
      {
        ...registry.blob(gzipSync(layer)),
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
      },
    ],
  }
  registry.manifest('latest', document, undefined, types.dockerManifest)
  registry.demandToken({ realm: `https://${hosts.issuer}/token`, issuer })
  return registry
}

/** Sends from HTTP to HTTPS, as it does in truth. */
async function startCirros(tls: Certificates) {
  await using undo = new AsyncDisposableStack()
  const plain = undo.use(await startNeighbour())
  const secure = undo.use(await startNeighbour({ tls }))
  plain.serve(cirrosPath, redirectTo(`https://${hosts.cirros}${cirrosPath}`))
  secure.serve(cirrosPath, { bytes: disk(cirrosSize) })
  const held = undo.move()
  return { plain, tls: secure, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
