/** What the registry holds, asked as its specification says (OCI distribution-spec 1.1). */

import { jsonOf, Problem } from './api.js'
/** @import { Api } from './api.js' */

/** @typedef {{ readonly digest: string, readonly mediaType: string, readonly size: number, readonly artifactType?: string, readonly annotations?: Readonly<Record<string, string>>, readonly platform?: { os: string, architecture: string, variant?: string } }} Descriptor */

/**
 * What a tag leads to. `bytes` are those of its layers and configuration, null for an index.
 * @typedef {{
 *   readonly digest: string,
 *   readonly type: string,
 *   readonly bytes: number | null,
 *   readonly platforms: readonly string[],
 *   readonly created: string | null,
 *   readonly annotations: Readonly<Record<string, string>>,
 *   readonly children: readonly Descriptor[],
 * }} Manifest
 */

/** @template Item @typedef {{ readonly items: readonly Item[], readonly hasMore: boolean }} Page */

const kept = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ')

/** A configuration of more bytes is not read for the little that is shown of it. */
const largestConfig = 256 * 1024

export class Registry {
  #api

  /** @param {Api} api */
  constructor(api) {
    this.#api = api
  }

  /** @param {string} last empty for the first page @param {number} count @param {AbortSignal} signal */
  async repositories(last, count, signal) {
    return await this.#page('v2/_catalog', { last, count }, 'repositories', signal)
  }

  /** @param {string} name @param {string} last empty for the first page @param {number} count @param {AbortSignal} signal */
  async tags(name, last, count, signal) {
    return await this.#page(`v2/${pathOf(name)}/tags/list`, { last, count }, 'tags', signal)
  }

  /**
   * @param {string} name @param {string} digest @param {string} last empty for the first page
   * @param {number} count @param {AbortSignal} signal
   * @returns {Promise<Page<Descriptor>>}
   */
  async referrers(name, digest, last, count, signal) {
    return await this.#page(
      `v2/${pathOf(name)}/referrers/${digest}`,
      { last, count },
      'manifests',
      signal,
    )
  }

  /**
   * @param {string} name @param {string} reference a tag or a digest @param {AbortSignal} signal
   * @returns {Promise<Manifest>}
   */
  async manifest(name, reference, signal) {
    const path = `v2/${pathOf(name)}/manifests/${reference}`
    const answer = await this.#api.open(path, { headers: { accept: kept }, signal })
    const digest = answer.headers.get('docker-content-digest') ?? reference
    const mediaType = answer.headers.get('content-type') ?? ''
    const document = await jsonOf(answer)
    if (Array.isArray(document.manifests)) return indexOf(digest, mediaType, document)
    const config = await this.#config(name, document.config, signal)
    return imageOf(digest, mediaType, document, config)
  }

  /** A tag alone, or a manifest with all its tags. @param {string} name @param {string} reference */
  async remove(name, reference) {
    await this.#api.change('DELETE', `v2/${pathOf(name)}/manifests/${reference}`)
  }

  /**
   * @param {string} name @param {Descriptor | undefined} config @param {AbortSignal} signal
   * @returns {Promise<Readonly<Record<string, string>>>} its texts; empty where there is none of an image
   */
  async #config(name, config, signal) {
    const isOfImage = /(?:oci|docker)\..*image\.(?:config\.)?v1\+json$/.test(
      config?.mediaType ?? '',
    )
    if (!config || !isOfImage || config.size > largestConfig) return {}
    try {
      return textsIn(await this.#api.read(`v2/${pathOf(name)}/blobs/${config.digest}`, signal))
    } catch (error) {
      // Little is shown of it, and all else can be shown without it.
      if (!(error instanceof Problem) || error.asksForToken) throw error
      return {}
    }
  }

  /**
   * @template Item
   * @param {string} path @param {{ last: string, count: number }} page
   * @param {string} field that holds the items @param {AbortSignal} signal
   * @returns {Promise<Page<Item>>}
   */
  async #page(path, { last, count }, field, signal) {
    const query = new URLSearchParams({ n: String(count), ...(last !== '' && { last }) })
    const answer = await this.#api.open(`${path}?${query.toString()}`, { signal })
    /** @type {Readonly<Record<string, readonly Item[] | null>>} */
    const lists = await jsonOf(answer)
    const items = lists[field] ?? []
    return { items, hasMore: /rel="?next"?/.test(answer.headers.get('link') ?? '') }
  }
}

/** @param {string} name as an address of the page has it @returns {string} @throws {Problem} when it would lead elsewhere */
function pathOf(name) {
  const parts = name.split('/')
  if (!parts.some((part) => /^\.{1,2}$/.test(part))) return parts.map(encodeURIComponent).join('/')
  throw new Problem('no repository has such a name', { code: 'NAME_INVALID', status: 400 })
}

/** Whoever pushed it wrote what he liked. @param {unknown} configuration JSON @returns {Readonly<Record<string, string>>} */
function textsIn(configuration) {
  const fields = Object.entries(configuration ?? {})
  return Object.fromEntries(fields.filter(([, value]) => typeof value === 'string'))
}

/** @param {string} digest @param {string} mediaType @param {any} document @returns {Manifest} */
function indexOf(digest, mediaType, { manifests, artifactType, annotations = {} }) {
  /** @type {readonly Descriptor[]} */
  const children = manifests
  return {
    digest,
    type: artifactType ?? mediaType,
    bytes: null,
    platforms: children.flatMap(({ platform }) => (platform ? [platformOf(platform)] : [])),
    created: annotations[createdAnnotation] ?? null,
    annotations,
    children,
  }
}

const createdAnnotation = 'org.opencontainers.image.created'

/** @param {string} digest @param {string} mediaType @param {any} document @param {any} configuration @returns {Manifest} */
function imageOf(digest, mediaType, document, configuration) {
  const { layers = [], config, artifactType, annotations = {} } = document
  /** @type {readonly Descriptor[]} */
  const parts = [...layers, ...(config ? [config] : [])]
  const { os = '', architecture = '', created } = configuration
  const isArtifact =
    config && !/image|rootfs/.test(config.mediaType) && !/empty/.test(config.mediaType)
  return {
    digest,
    type: artifactType ?? (isArtifact ? config.mediaType : mediaType),
    bytes: parts.reduce((sum, { size }) => sum + size, 0),
    platforms: os === '' && architecture === '' ? [] : [platformOf(configuration)],
    created: annotations[createdAnnotation] ?? created ?? null,
    annotations,
    children: [],
  }
}

/** @param {{ os?: string, architecture?: string, variant?: string }} platform */
export function platformOf({ os, architecture, variant }) {
  const parts = [os, architecture, variant]
  // Nobody has looked at what a stranger wrote there.
  return parts.filter((part) => typeof part === 'string' && part !== '').join('/')
}
