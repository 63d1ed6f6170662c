import { findImage, newImage, retryImage, type Image } from '../../client/images.ts'
import type { Rest } from '../../client/rest.ts'
import { Refusal } from '../../errors.ts'
import { troubleOf } from './advice.ts'

/**
 * The image that a file is to become: created, or begun again where it has failed.
 * @param say told what is not as it was left
 * @throws Refusal SPEC_DIFFERS for an image of other origin, and what the service says
 */
export async function waitingImage(
  rest: Rest,
  name: string,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Image> {
  const found = await findImage(rest, name, signal)
  if (!found) return await newImage(rest, { name, dataSource: { type: 'Upload' } }, signal)
  if (found.dataSource.type !== 'Upload') throw ofOtherOrigin(found)
  const { phase } = found.status
  if (phase !== 'Failed' && phase !== 'ImageLost') return found
  say(`"${name}" is ${phase} (${troubleOf(found)}); it begins again`)
  return await retryImage(rest, name, signal)
}

function ofOtherOrigin({ name, dataSource }: Image): Refusal {
  return new Refusal(
    'SPEC_DIFFERS',
    `there is an image "${name}" that is made from ${dataSource.type}; choose another name`,
  )
}
