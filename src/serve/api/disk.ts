import type { Image } from '../../catalog/images.ts'
import { Refusal } from '../../errors.ts'
import { extensionOf } from '../../image/format.ts'
import type { Checkup } from '../../work/checkup.ts'
import { readDisk } from '../../work/disk.ts'
import { sendBytes } from '../bytes.ts'
import type { Call } from '../context.ts'

/** The disk file itself, out of the layer, for whoever has no OCI client (http-api, `GET …/disk`). */
export async function sendDisk(c: Call, image: Image, checkup: Checkup): Promise<Response> {
  const { stored, phase, ready } = image
  if (phase === 'ImageLost') {
    throw new Refusal('NOT_READY', `the image "${image.name}" is ImageLost: ${ready.message}`)
  }
  if (phase !== 'Ready' || !stored) {
    throw new Refusal(
      'NOT_READY',
      `the image "${image.name}" is ${phase}; its disk is not here yet`,
    )
  }
  return await sendBytes(c, {
    size: stored.disk.size,
    etag: `"${stored.disk.digest}"`,
    contentType: 'application/octet-stream',
    headers: {
      'content-disposition': `attachment; filename="${image.name}.${extensionOf(stored.format)}"`,
      'cache-control': 'no-cache',
    },
    open: (range, signal) => readDisk(stored, range, checkup, signal),
  })
}
