/**
 * What can be done on this page about a failure, beside what the service says of it.
 * @import { ImageBody } from '../../../image/status.ts'
 * @import { ReadyReason } from '../../../image/phase.ts'
 */

/**
 * `change`: the image is made anew from another source; `retry`: it is started again; `storage`: one looks at what takes the space.
 * @typedef {'change' | 'retry' | 'storage'} Way
 */
/** @typedef {ImageBody['dataSource']['type']} SourceType */

/**
 * @typedef {{
 *   readonly reason: ReadyReason,
 *   readonly says?: RegExp,
 *   readonly of?: readonly SourceType[],
 *   readonly text: string,
 *   readonly ways: readonly Way[],
 * }} Remedy `says`: in the condition's message; `of`: for these sources alone
 */

/** @type {readonly SourceType[]} */
const fetched = ['HTTP', 'ContainerImage']

/** The first that fits is taken, so those that know more come first. @type {readonly Remedy[]} */
export const remedies = [
  {
    reason: 'ImageLost',
    of: ['Upload'],
    text: 'Its data is missing in the storage. Ask for a new upload, then drop the file on this page.',
    ways: ['retry'],
  },
  {
    reason: 'ImageLost',
    text: 'Its data is missing in the storage. Try again to fetch it anew from its source.',
    ways: ['retry'],
  },
  {
    reason: 'WaitForUserUploadTimeout',
    text: 'Ask for a new upload, then drop the file on this page.',
    ways: ['retry'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    says: /^(?:md5|sha1|sha256|sha512) of the source is /,
    of: fetched,
    text: 'Compare the checksum with the one that the publisher tells. Change it, or leave it out; if the file itself was broken, try again.',
    ways: ['change', 'retry'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    says: / answered 40[137] |credentials/,
    of: fetched,
    text: 'The source wants to know who asks. Give its token with the source, or take another source.',
    ways: ['change'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    says: / answered 4\d\d /,
    of: ['HTTP'],
    text: 'Nothing is there under this URL. Correct it, or try again once the file is there.',
    ways: ['change', 'retry'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    says: /no such image/,
    of: ['ContainerImage'],
    text: 'The registry does not know this image. Correct its name or its tag.',
    ways: ['change', 'retry'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    says: /^no import may go to /,
    text: 'Whoever runs this service decides where images may come from. Ask for this address to be allowed, or take another source.',
    ways: ['change', 'retry'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    says: /^the certificate of /,
    text: 'The source cannot prove who it is. Take an address whose certificate is valid, or try again once it was mended.',
    ways: ['change', 'retry'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    says: /encrypted/,
    of: fetched,
    text: 'Put a plain copy of the disk where the source is, and take that.',
    ways: ['change'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    says: /SLIPWAY_MAX_IMAGE_SIZE/,
    text: 'Make the disk smaller, or ask whoever runs this service to allow larger ones.',
    ways: ['retry'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    says: /\bstorage\b.*\b(?:full|left|limit)|SLIPWAY_STORAGE_LIMIT/,
    text: 'See what takes the space, delete what nobody needs, and try again.',
    ways: ['storage', 'retry'],
  },
  {
    reason: 'ProvisioningFailed',
    says: /\bstorage\b.*\b(?:full|left|limit)|SLIPWAY_STORAGE_LIMIT/,
    text: 'See what takes the space and delete what nobody needs. It goes on by itself then.',
    ways: ['storage'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    of: ['Upload'],
    text: 'Ask for a new upload, then drop a file that is in order on this page.',
    ways: ['retry'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    of: fetched,
    text: 'Change the source, or try again once it was mended.',
    ways: ['change', 'retry'],
  },
  {
    reason: 'ProvisioningFailedTerminally',
    text: 'Try again once the image that it is made of is in order.',
    ways: ['retry'],
  },
  {
    reason: 'ProvisioningFailed',
    of: ['Upload'],
    text: 'What has arrived is kept. Drop the same file on this page again, and the rest of it is sent.',
    ways: [],
  },
  {
    reason: 'ProvisioningFailed',
    text: 'There is nothing to do yet: the service tries again by itself.',
    ways: [],
  },
]

/** @param {ImageBody} image @returns {Remedy | null} null where nothing is the matter */
export function remedyOf({ dataSource, status }) {
  const ready = status.conditions.find(({ type }) => type === 'Ready')
  if (!ready || ready.status === 'True' || status.phase === 'Terminating') return null
  const fits = (/** @type {Remedy} */ { reason, says, of }) =>
    reason === ready.reason &&
    (says === undefined || says.test(ready.message)) &&
    (of === undefined || of.includes(dataSource.type))
  return remedies.find(fits) ?? null
}
