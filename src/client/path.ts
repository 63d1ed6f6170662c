/** Where REST has an image. */
export function pathOf(name: string): string {
  return `/api/v1/images/${encodeURIComponent(name)}`
}
