import type { Image } from '../../client/images.ts'
import { written, type Form } from '../command.ts'
import { plain, unseen } from '../plain.ts'
import { detailsOf } from './details.ts'

/** Writes one image out. */
export async function showImage(image: Image, form: Form): Promise<void> {
  if (form === 'table') await written(detailsOf(image, Date.now()))
  else if (form === 'name') await written(`${plain(image.name)}\n`)
  else await written(await documentOf(image, form))
}

/** Writes out what programs read. */
export async function documentOf(value: object, form: 'json' | 'yaml'): Promise<string> {
  if (form === 'json') return `${jsonOf(value)}\n`
  const { dump } = await import('js-yaml')
  return dump(value, { lineWidth: -1 })
}

/** JSON leaves some control characters as they are, and it may be read on a terminal. */
export function jsonOf(value: object): string {
  return JSON.stringify(value).replaceAll(unseen, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
