import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { subscribersSchema, undeliveredSchema } from '../../src/serve/api/subscriber-schema.ts'
import type { Receiver } from './receiver.ts'
import { disk, mebibyte } from './disks.ts'
import { get, send } from './rest.ts'
import { startService, type Service } from './service.ts'
import { temporaryFolder } from './temporary.ts'

export const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

export type Entry = {
  readonly name: string
  readonly url: string
  readonly form: 'cloudevents' | 'distribution'
  readonly [field: string]: unknown
}

/** @returns the path of a file with these subscribers */
export async function writeSubscribers(
  folder: string,
  subscribers: readonly Entry[],
): Promise<string> {
  const path = join(folder, 'subscribers.json')
  await writeFile(path, JSON.stringify({ subscribers }))
  return path
}

/** A service that tells these subscribers, with its file's folder. */
export async function startTelling(resources: AsyncDisposableStack, entries: readonly Entry[]) {
  const folder = resources.use(await temporaryFolder()).path
  const file = await writeSubscribers(folder, entries)
  const service = resources.use(await startService({ SLIPWAY_SUBSCRIBERS_FILE: file }))
  return { folder, service, subscribers: new Subscribers(() => service.base) }
}

/** Makes a small image, by upload. */
export async function upload({ rest }: Service, name: string): Promise<void> {
  const { status } = await send(await rest.createUpload(name), disk(mebibyte))
  if (status !== 201) throw new Error(`the upload of ${name} was answered ${status}`)
}

type Standing = z.output<typeof subscribersSchema>['items'][number]

/** The subscribers of a service as an admin sees them. */
export class Subscribers {
  readonly #base: () => string

  constructor(base: () => string) {
    this.#base = base
  }

  async of(name: string): Promise<Standing> {
    const { items } = subscribersSchema.parse(await (await get(this.#url())).json())
    const found = items.find((item) => item.name === name)
    if (found) return found
    throw new Error(`there is no subscriber ${name}`)
  }

  async undelivered(name: string, query = ''): Promise<z.output<typeof undeliveredSchema>> {
    const answer = await get(this.#url(`/${name}/undelivered${query}`))
    return undeliveredSchema.parse(await answer.json())
  }

  async post(path: string, body?: object): Promise<unknown> {
    const answer = await fetch(this.#url(path), {
      method: 'POST',
      ...(body && {
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
      signal: AbortSignal.timeout(20_000),
    })
    return await answer.json()
  }

  #url(path = ''): string {
    return `${this.#base()}/api/v1/subscribers${path}`
  }
}

/** One who hears everything, signed, and one who waits for a few images; whose URL has a query that is nobody's business. */
export function allAndBroken(all: Receiver, broken: Receiver): readonly Entry[] {
  return [
    { name: 'all', url: all.url('/all?key=of-the-query'), form: 'cloudevents', secret },
    {
      name: 'broken',
      url: broken.url(),
      form: 'cloudevents',
      events: ['image.ready'],
      images: ['held-*'],
      timeout: '60s',
    },
  ]
}
