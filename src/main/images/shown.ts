import type { Image } from '../../client/images.ts'
import { written, type Form } from '../command.ts'
import { detailsOf } from './details.ts'

/** Writes one image out. */
export async function showImage(image: Image, form: Form): Promise<void> {
  if (form === 'table') await written(detailsOf(image, Date.now()))
  else if (form === 'name') await written(`${image.name}\n`)
  else await written(await documentOf(image, form))
}

/** Writes out what programs read. */
export async function documentOf(value: object, form: 'json' | 'yaml'): Promise<string> {
  if (form === 'json') return `${JSON.stringify(value)}\n`
  const { dump } = await import('js-yaml')
  return dump(value, { lineWidth: -1 })
}
