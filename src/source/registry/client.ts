import type { Readable } from 'node:stream'
import type { ContainerImageSection } from '../../image/data-source.ts'
import type { Reference } from '../../image/reference.ts'
import { forbidden, judgeHost } from '../address.ts'
import { shown } from '../request.ts'
import { lineOf, type TravelOptions } from '../travel.ts'
import { trustOf } from '../trust.ts'
import { Access } from './access.ts'
import { BlobBody } from './blob-body.ts'
import { openBlob, type Stretch } from './blob.ts'
import { Endpoint } from './endpoint.ts'
import { credentialsOf } from './given.ts'
import { fetchManifest } from './manifest.ts'
import { pause, shortPatience, type Patience, type Pause } from './patience.ts'
import type { BlobOptions, BlobPart, FetchedManifest, Registry } from './registry.ts'
import { Session } from './session.ts'
import { inTime } from './small-body.ts'

export type RegistryOptions = TravelOptions & {
  /** `host` or `host:port`: registries that may speak plain HTTP, beside those on loopback. */
  readonly insecureRegistries: readonly string[]
  /** Milliseconds that a manifest or a token may take in all. */
  readonly documentWithin?: number
  /** Stand in for the clock. */
  readonly pause?: Pause
  readonly now?: () => number
}

/** Long enough for a document of a few MiB over a bad line; in milliseconds. */
const usualDocument = 120_000

/**
 * The repository of a reference, over the network (OCI distribution-spec, "Pull"). Opens nothing yet.
 * @throws Refusal SOURCE_FORBIDDEN, INVALID_REQUEST (a caBundle without certificates)
 */
export function openRegistry(
  reference: Reference,
  section: ContainerImageSection,
  options: RegistryOptions,
): Registry {
  const {
    insecureRegistries: insecure,
    documentWithin = usualDocument,
    now = () => performance.now(),
  } = options
  const line = lineOf(options, trustOf(section, 'containerImage'))
  const wantsTls = section.caBundle !== undefined || section.insecureSkipTLSVerify === true
  const endpoint = new Endpoint(reference, { insecure, wantsTls, dial: line.dial })
  const verdict = judgeHost(endpoint.url.hostname, options.rules)
  if (verdict.answer === 'refused') throw forbidden(verdict)
  const given = credentialsOf(section, reference)
  const access = new Access({ reference, given, line, now, tokenWithin: documentWithin })
  const session = new Session({ reference, endpoint, access, line })
  const patience = shortPatience(options.pause ?? pause)
  return new RemoteRegistry(session, { documentWithin, patience })
}

type Waits = { readonly documentWithin: number; readonly patience: Patience }

class RemoteRegistry implements Registry {
  readonly #session: Session
  readonly #waits: Waits

  constructor(session: Session, waits: Waits) {
    this.#session = session
    this.#waits = waits
  }

  async manifest(tagOrDigest: string, signal: AbortSignal): Promise<FetchedManifest> {
    const work = (signal: AbortSignal) => fetchManifest(this.#session, tagOrDigest, signal)
    return await inTime(this.#waits.documentWithin, shown(this.#session.url), work, signal)
  }

  async blob(
    part: BlobPart,
    offset: number,
    signal: AbortSignal,
    { held = null, patience = this.#waits.patience }: BlobOptions = {},
  ): Promise<Readable> {
    const open = (stretch: Stretch, signal: AbortSignal) =>
      openBlob(this.#session, part, stretch, signal)
    return await BlobBody.open({ part, offset, held, open, patience }, signal)
  }
}
