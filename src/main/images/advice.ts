import type { Image } from '../../client/images.ts'

/** What the service says is the matter, each sentence once; empty for nothing. */
export function troubleOf({ status }: Pick<Image, 'status'>): string {
  const told = status.conditions.filter(
    ({ status, message }) => status !== 'True' && message !== '',
  )
  return [...new Set(told.map(({ message }) => message))].join('; ')
}

/** What there is to do about an image, or to do with it; null for nothing. */
export function adviceOf(image: Image): string | null {
  const { name, status } = image
  const { phase, upload, uploadCommand, target } = status
  if (phase === 'Ready')
    return `pull it: skopeo copy docker://${target.registryURL}:latest dir:${name}`
  if (phase === 'WaitForUserUpload')
    return toSend(`slipway images upload FILE ${name}`, uploadCommand)
  if (phase === 'Provisioning' && upload) {
    return toSend(`slipway images upload FILE ${name}`, upload.resumeCommand)
  }
  if (phase === 'Failed' || phase === 'ImageLost') return toMend(image)
  return null
}

/** Who may not write to an image is told no command. */
function toSend(own: string, command: string | undefined): string | null {
  return command === undefined ? null : `send its file: ${own}, or ${command}`
}

function toMend({ name, dataSource, status }: Image): string {
  const again = `slipway images retry ${name}`
  if (dataSource.type === 'Upload') return `ask for a new upload: ${again}`
  if (status.phase === 'ImageLost') return `fetch it again: ${again}`
  return `mend the cause, then ${again}; or slipway images delete ${name} and create it anew`
}
