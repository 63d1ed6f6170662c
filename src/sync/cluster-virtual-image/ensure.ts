import { createImage, imageByName, type OwnedImage } from '../../client/images.ts'
import type { Failure } from '../../errors.ts'
import type { ClusterVirtualImage } from '../resource.ts'
import { found, nothing, soon, told, type Conclusion } from './conclusion.ts'
import { resolve } from './data-source.ts'
import { readAnew, type Held } from './finalizer.ts'
import type { Memory } from './kept.ts'
import { referTo } from './object-reference.ts'
import { replace } from './replacement.ts'
import { saidOfFinding, saidOfImage, saidWhileAway, type Finding } from './status.ts'
import type { Surroundings } from './surroundings.ts'
import { isOfService, isOutdated, wordsFor } from './trouble.ts'

/** Milliseconds after which the service should have told of an image that it has. */
const tellsWithin = 5000
/** Between two looks at what a person has to mend, at least, in milliseconds. */
const slowly = 5000

/** Sees to it that the service has an image of this resource. Throws what the API server fails with. */
export async function ensure(
  held: Held,
  memory: Memory,
  around: Surroundings,
  signal: AbortSignal,
): Promise<Conclusion> {
  const { resource } = held
  if (memory.refused) return found(memory.refused)
  const referred = referTo(resource, around)
  if ('finding' in referred) return ofFinding(resource, referred.finding, null, around)
  const { asked } = memory
  if (asked && isRecent(asked.at, around.now())) return ofAnswer(resource, memory, asked.image)
  const resolved = await resolve(resource.spec.dataSource, around.api, signal)
  if ('finding' in resolved) return ofFinding(resource, resolved.finding, slowly, around)
  await demandAlive(held, around, signal)
  memory.sourceUid = referred.uid
  return await ask(resource, memory, resolved.dataSource, around, signal)
}

/** A clock that was set back tells nothing. */
function isRecent(at: number, now: number): boolean {
  return at <= now && now - at < tellsWithin
}

/** What nobody has shown for a while may be gone, and an image for it would be nobody's. */
async function demandAlive(
  { resource, isFresh }: Held,
  { api, resources }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  if (!isFresh) resources.learn(await readAnew(resource, api, signal))
}

async function ask(
  resource: ClusterVirtualImage,
  memory: Memory,
  dataSource: object,
  around: Surroundings,
  signal: AbortSignal,
): Promise<Conclusion> {
  const { name, uid } = resource.metadata
  const latest = around.resources.get(name)?.metadata
  if (latest?.uid !== uid || latest.deletionTimestamp !== undefined) return nothing
  if (!memory.asked) logAgain(resource, around)
  try {
    return await create(resource, memory, dataSource, around, signal)
  } catch (error) {
    if (!isOfService(error) || isOutdated(error)) throw error
    return isFinal(error) ? final(error, resource, memory, around) : away(error, resource, around)
  }
}

async function create(
  resource: ClusterVirtualImage,
  memory: Memory,
  dataSource: object,
  around: Surroundings,
  signal: AbortSignal,
): Promise<Conclusion> {
  const { name, uid } = resource.metadata
  try {
    const image = await createImage(around.rest, { name, dataSource, owner: { uid } }, signal)
    return answered(resource, memory, image, around)
  } catch (error) {
    if (!isOfService(error)) throw error
    return await refusedBy(error, resource, memory, around, signal)
  }
}

function logAgain({ metadata: { name }, status }: ClusterVirtualImage, { log }: Surroundings) {
  if (status?.phase === undefined || status.phase === 'Pending') return
  log.info({ image: name, phase: status?.phase }, 'the service has no such image; asked for again')
}

function answered(
  resource: ClusterVirtualImage,
  memory: Memory,
  image: OwnedImage,
  { now }: Surroundings,
): Conclusion {
  memory.asked = { image, at: now() }
  return ofAnswer(resource, memory, image)
}

/** The stream of events tells more, and sooner; should it not, the image is asked for again. */
function ofAnswer(
  resource: ClusterVirtualImage,
  { sourceUid }: Memory,
  image: OwnedImage,
): Conclusion {
  return told(saidOfImage(resource, image, sourceUid), tellsWithin)
}

/** @throws the failure itself where there is nothing to be done about it here */
async function refusedBy(
  failure: Failure,
  resource: ClusterVirtualImage,
  memory: Memory,
  around: Surroundings,
  signal: AbortSignal,
): Promise<Conclusion> {
  const { code } = failure
  if (code === 'STORAGE_FULL') return ofFinding(resource, pending(failure), slowly, around)
  if (code === 'SPEC_DIFFERS') return await taken(resource, memory, around, signal)
  if (code !== 'OWNER_DIFFERS') throw failure
  const finding = await replace(resource, around, signal)
  return finding ? ofFinding(resource, finding, slowly, around) : soon
}

/** With the same owner it is our own image: what the resource says cannot have changed. */
async function taken(
  resource: ClusterVirtualImage,
  memory: Memory,
  around: Surroundings,
  signal: AbortSignal,
): Promise<Conclusion> {
  const image = await imageByName(around.rest, resource.metadata.name, signal)
  return image ? answered(resource, memory, image, around) : soon
}

/** Another attempt with the same data source is refused again. */
function isFinal({ row }: Failure): boolean {
  return row.status === 422 || row.status === 413 || row.status === 400
}

function final(
  { message }: Failure,
  resource: ClusterVirtualImage,
  memory: Memory,
  { now }: Surroundings,
): Conclusion {
  const finding: Finding = {
    phase: 'Failed',
    reason: 'ProvisioningFailedTerminally',
    source: 'DatasourceNotReady',
    message,
  }
  memory.refused = saidOfFinding(resource, finding, now())
  return found(memory.refused)
}

function away(trouble: Failure, resource: ClusterVirtualImage, { now }: Surroundings): Conclusion {
  return found(saidWhileAway(resource, null, wordsFor(trouble), now()), trouble.retryAfter ?? 0)
}

function pending({ message }: Failure): Finding {
  const [reason, source] = ['ProvisioningNotStarted', 'DatasourceReady'] as const
  return { phase: 'Pending', reason, source, message }
}

function ofFinding(
  resource: ClusterVirtualImage,
  finding: Finding,
  again: number | null,
  { now }: Surroundings,
): Conclusion {
  return found(saidOfFinding(resource, finding, now()), again)
}
