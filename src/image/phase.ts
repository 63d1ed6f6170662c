import { Bug } from '../errors.ts'

export const phases = [
  'Pending',
  'WaitForUserUpload',
  'Provisioning',
  'Ready',
  'Failed',
  'Terminating',
  'ImageLost',
] as const
export type Phase = (typeof phases)[number]

/**
 * The life of an image (image-lifecycle, "What the service answers"). A phase may always be entered again from itself
 * (only its message changes). From Terminating there is no way back: the row goes.
 */
const next: { readonly [From in Phase]: readonly Phase[] } = {
  Pending: ['Provisioning', 'Failed', 'Terminating'],
  WaitForUserUpload: ['Provisioning', 'Failed', 'Terminating'],
  Provisioning: ['Ready', 'Failed', 'Terminating'],
  Ready: ['ImageLost', 'Terminating'],
  ImageLost: ['Ready', 'Pending', 'WaitForUserUpload', 'Terminating'],
  Failed: ['Pending', 'WaitForUserUpload', 'Terminating'],
  Terminating: [],
}

export function mayBecome(from: Phase, to: Phase): boolean {
  return from === to || next[from].includes(to)
}

/** @throws Bug when an image in `from` can never be in `to` next */
export function assertTransition(from: Phase, to: Phase): void {
  if (mayBecome(from, to)) return
  throw new Bug(`an image cannot go from ${from} to ${to}`)
}

export type ReadyReason =
  | 'WaitForUserUpload'
  | 'WaitForUserUploadTimeout'
  | 'ProvisioningNotStarted'
  | 'Provisioning'
  | 'ProvisioningFailed'
  | 'ProvisioningFailedTerminally'
  | 'Ready'
  | 'ImageLost'

export type SourceReason = 'DatasourceReady' | 'DatasourceNotReady' | 'ClusterImageNotReady'
