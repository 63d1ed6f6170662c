import type { Image } from '../../catalog/images.ts'
import type { Catalog } from '../../catalog/catalog.ts'
import { hexOf, isDigest } from '../../image/digest.ts'
import { formatSpan } from '../../image/duration.ts'
import { formatSize } from '../../image/size.ts'
import { repositoryOf } from '../../image/name.ts'
import type { Progress, Snapshot } from '../../work/progress.ts'
import { splitSecrets } from '../../work/secrets.ts'
import type { ServerKey } from '../../work/server-key.ts'
import type { PublicNames } from '../public-names.ts'
import type { ImageBody } from '../../image/status.ts'

export type PresenterOptions = {
  readonly catalog: Catalog
  readonly progress: Progress
  readonly key: ServerKey
  /** Known once the listener has its port. */
  readonly names: () => PublicNames
}

type Status = ImageBody['status']

/** Images as REST shows them (image-lifecycle, "What the service answers"). */
export class Presenter {
  readonly #options: PresenterOptions

  constructor(options: PresenterOptions) {
    this.#options = options
  }

  async show(image: Image): Promise<ImageBody> {
    const { name, uid, generation, createdAt, ownerUid, dataSource } = image
    return {
      name,
      uid,
      generation,
      createdAt: time(createdAt),
      ...(ownerUid !== null && { owner: { uid: ownerUid } }),
      // Earlier versions kept queries of URLs among what is shown.
      dataSource: splitSecrets(dataSource).shown,
      status: await this.#status(image),
    }
  }

  async #status(image: Image): Promise<Status> {
    const { registryHost } = this.#options.names()
    const { stored, phase, retries, nextRetryAt } = image
    const digest = phase === 'Ready' ? stored?.manifest.digest : undefined
    const registryURL = `${registryHost}/${repositoryOf(image.name)}`
    return {
      phase,
      ...(await this.#movement(image)),
      ...(stored && { ...known(stored) }),
      target: { registryURL, ...(digest !== undefined && { digest }) },
      ...(await this.#upload(image)),
      ...(retries > 0 && { retries }),
      ...(nextRetryAt !== null && { nextRetryAt: time(nextRetryAt) }),
      conditions: conditions(image),
    }
  }

  async #movement({ uid, phase }: Image): Promise<Partial<Status>> {
    if (phase === 'Ready') return { progress: '100%' }
    if (phase === 'Pending' || phase === 'WaitForUserUpload') return { progress: '0%' }
    if (phase !== 'Provisioning') return {}
    const snapshot = this.#options.progress.of(uid)
    if (snapshot) return moving(snapshot)
    const { catalog, progress } = this.#options
    const tenths = (await catalog.read.jobs.progress(uid)) ?? progress.floor(uid)
    return tenths ? { progress: percent(tenths) } : {}
  }

  async #upload(image: Image): Promise<Partial<Status>> {
    if (image.dataSource.type !== 'Upload') return {}
    const path = `/upload/${this.#options.key.uploadToken(image.uid, image.attempt)}`
    const { external, inCluster } = this.#options.names()
    const command = `curl ${external}${path} -T example.iso`
    if (image.phase === 'WaitForUserUpload') {
      const imageUploadURLs = { external: external + path, inCluster: inCluster + path }
      return { uploadCommand: command, imageUploadURLs }
    }
    return image.phase === 'Provisioning' ? await this.#brokenOff(image, external + path) : {}
  }

  async #brokenOff(image: Image, url: string): Promise<Partial<Status>> {
    const upload = await this.#options.catalog.read.uploads.ofImage(image.uid, image.attempt)
    if (upload?.state !== 'interrupted') return {}
    const { expiresAt, offset, length } = upload
    // Behind the last byte curl has nothing to send, and asks for nothing.
    const rest = offset > 0 && offset !== length ? `-C ${offset} ` : ''
    const resumeCommand = `curl ${rest}${url} -T example.iso`
    const whole = length === null ? {} : { length: String(length) }
    const until = expiresAt === null ? {} : { expiresAt: time(expiresAt) }
    return { upload: { offset: String(offset), ...whole, ...until, resumeCommand } }
  }
}

function moving({ received, tenths, average, current, remaining }: Snapshot): Partial<Status> {
  return {
    ...(tenths !== null && { progress: percent(tenths) }),
    receivedBytes: String(received),
    downloadSpeed: {
      avg: `${formatSize(average)}/s`,
      avgBytes: String(average),
      current: `${formatSize(current)}/s`,
      currentBytes: String(current),
    },
    ...(remaining !== null && { remaining: formatSpan(remaining), remainingSeconds: remaining }),
  }
}

function known(stored: NonNullable<Image['stored']>): Partial<Status> {
  const { format, layer, unpackedBytes, allocatedBytes, bootable, details, source } = stored
  const { architecture } = stored
  const { sha256, bytes, ...from } = source
  return {
    format,
    cdrom: format === 'iso',
    bootable,
    ...(architecture !== null && { architecture }),
    size: {
      stored: formatSize(layer.size),
      storedBytes: String(layer.size),
      unpacked: formatSize(unpackedBytes),
      unpackedBytes: String(unpackedBytes),
    },
    ...(allocatedBytes !== null && { allocatedBytes: String(allocatedBytes) }),
    source: { ...from, bytes: String(bytes), sha256: isDigest(sha256) ? hexOf(sha256) : sha256 },
    details,
  }
}

function conditions({ phase, ready, source, generation }: Image): Status['conditions'] {
  return [
    {
      type: 'DatasourceReady',
      status: source.reason === 'DatasourceReady' ? 'True' : 'False',
      reason: source.reason,
      message: source.message,
      lastTransitionTime: time(source.since),
      observedGeneration: generation,
    },
    {
      type: 'Ready',
      status: phase === 'Ready' ? 'True' : 'False',
      reason: ready.reason,
      message: ready.message,
      lastTransitionTime: time(ready.since),
      observedGeneration: generation,
    },
  ]
}

/** One decimal, a trailing `.0` dropped. */
function percent(tenths: number): string {
  return `${(tenths / 10).toFixed(1).replace(/\.0$/, '')}%`
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
