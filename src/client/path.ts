import { Refusal } from '../errors.ts'

/**
 * Where REST has an image.
 * @throws Refusal IMAGE_NOT_FOUND for what a URL takes for a folder: it would lead elsewhere
 */
export function pathOf(name: string): string {
  if (/^\.{0,2}$/.test(name)) {
    throw new Refusal('IMAGE_NOT_FOUND', `there is no image "${name}"`)
  }
  return `/api/v1/images/${encodeURIComponent(name)}`
}
