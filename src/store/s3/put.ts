import { setTimeout as pause } from 'node:timers/promises'
import { PutObjectCommand, type PutObjectCommandInput, type S3Client } from '@aws-sdk/client-s3'
import { mayNotKnow, statusOf } from './failures.ts'

/** How often a put may meet another request (409), or, on a filesystem, the removal of the folder that it is to lie in. */
const meetings = 10

/** Puts a small object whole. @throws what the SDK throws */
export async function putObject(
  client: S3Client,
  object: PutObjectCommandInput,
  signal?: AbortSignal,
): Promise<void> {
  for (let left = meetings; ; left -= 1) {
    try {
      const options = signal ? { abortSignal: signal } : {}
      await client.send(new PutObjectCommand(object), options)
      return
    } catch (error) {
      if (statusOf(error) !== 409 || left === 0) throw error
      await pause(50 * Math.random(), undefined, signal && { signal })
    }
  }
}

/**
 * Only where nothing has this key; a server that does not know such a condition puts it in any case.
 * @returns false when something has it, be it what this call has put, where the first answer was lost
 * @throws what the SDK throws
 */
export async function putNewObject(
  client: S3Client,
  object: PutObjectCommandInput,
): Promise<boolean> {
  try {
    await putObject(client, { ...object, IfNoneMatch: '*' })
  } catch (error) {
    if (statusOf(error) === 412) return false
    if (!mayNotKnow(error)) throw error
    await putObject(client, object)
  }
  return true
}
