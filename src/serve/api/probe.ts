import { Hono } from 'hono'
import { formatSize } from '../../image/size.ts'
import type { Probed, Prober } from '../../work/probe.ts'
import type { ImageContents } from '../../source/source.ts'
import type { Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import type { PublicNames } from '../public-names.ts'
import { body } from './asked.ts'
import { demandSource } from './own-image.ts'
import { probeRequest, type ProbeBody } from './schema.ts'

export type ProbeOptions = {
  readonly prober: Prober
  readonly names: () => PublicNames
  /** Ends waiting requests when the service stops. */
  readonly closing: AbortSignal
}

/** `/api/v1/probe` (http-api, "REST"). A refusal of the bytes is the answer, not an error of the request. */
export function probeRoutes({ prober, names, closing }: ProbeOptions): Routes {
  return new Hono<Env>()
    .post('/', async (c) => {
      const { dataSource } = await body(c, probeRequest)
      demandSource(c, dataSource, names())
      const signal = AbortSignal.any([c.req.raw.signal, closing])
      c.header('cache-control', 'no-store')
      return c.json(shown(await prober.probe(dataSource, signal)))
    })
    .all('/', only('POST'))
}

function shown(probed: Probed): ProbeBody {
  const { refusal, isComplete, wrapping, ranges, revalidation, source, contents } = probed
  return {
    accepted: refusal === null,
    complete: isComplete,
    ...(refusal && { refusal: { code: refusal.code, detail: refusal.message } }),
    ...known(probed),
    wrapping: [...wrapping],
    size: sizes(probed),
    ...(ranges !== null && { ranges }),
    revalidation,
    source,
    ...(contents && { image: shownContents(contents) }),
  }
}

function shownContents({ manifest, layers, file }: ImageContents): ProbeBody['image'] {
  return {
    manifest: shownPart(manifest),
    layers: layers.map(shownPart),
    ...(file !== null && { file }),
  }
}

function shownPart({ mediaType, digest, size }: ImageContents['manifest']) {
  return { mediaType, digest, size: formatSize(size), sizeBytes: String(size) }
}

function known({ facts }: Probed): Partial<ProbeBody> {
  if (!facts) return {}
  const { format, bootable, architecture, details } = facts
  return {
    format,
    cdrom: format === 'iso',
    bootable,
    ...(architecture !== null && { architecture }),
    details,
  }
}

function sizes({ size, facts }: Probed): ProbeBody['size'] {
  const unpacked = facts?.unpackedBytes ?? null
  return {
    ...(size !== null && { source: formatSize(size), sourceBytes: String(size) }),
    ...(unpacked !== null && { unpacked: formatSize(unpacked), unpackedBytes: String(unpacked) }),
  }
}
