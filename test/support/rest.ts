import type { z } from 'zod'
import type { dataSourceSchema } from '../../src/image/data-source.ts'
import type { Phase } from '../../src/image/phase.ts'
import { imageSchema } from '../../src/image/status.ts'
import { listSchema, problemSchema } from '../../src/serve/api/schema.ts'

export type Image = z.output<typeof imageSchema>
export type Problem = z.output<typeof problemSchema>
export type Source = z.input<typeof dataSourceSchema>

/** How long an image may take to get where a test wants it, in milliseconds. */
const usually = 30_000

/** One answer of the service is waited for so long. */
const patience = 70_000

/** Every answer is held against the schema that the service documents. */
export class Rest {
  readonly #base: () => string
  readonly #headers: Record<string, string>

  /**
   * @param base where the service is: a restart may move it to another port
   * @param headers of every request
   */
  constructor(base: () => string, headers: Record<string, string> = {}) {
    this.#base = base
    this.#headers = headers
  }

  /** The same service, asked by somebody with this token. */
  as(token: string): Rest {
    return new Rest(this.#base, { ...this.#headers, authorization: `Bearer ${token}` })
  }

  url(path = ''): string {
    return `${this.#base()}/api/v1/images${path}`
  }

  async post(body: unknown, path = ''): Promise<Response> {
    return await fetch(this.url(path), {
      method: 'POST',
      headers: { ...this.#headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(patience),
    })
  }

  /** @throws Error unless it is created now */
  async create(name: string, dataSource: Source): Promise<Image> {
    return imageSchema.parse(await bodyOf(await this.post({ name, dataSource }), 201))
  }

  async createFrom(name: string, url: string): Promise<Image> {
    return await this.create(name, { type: 'HTTP', http: { url } })
  }

  /** @returns the URL that takes the bytes */
  async createUpload(name: string, upload?: Source['upload']): Promise<string> {
    return uploadUrl(await this.create(name, { type: 'Upload', ...(upload && { upload }) }))
  }

  async image(name: string): Promise<Image> {
    return imageSchema.parse(await bodyOf(await get(this.url(`/${name}`), this.#headers), 200))
  }

  /** @param query with its question mark */
  async list(query = ''): Promise<z.output<typeof listSchema>> {
    return listSchema.parse(await bodyOf(await get(this.url(query), this.#headers), 200))
  }

  async names(query = ''): Promise<readonly string[]> {
    return (await this.list(query)).items.map(({ name }) => name)
  }

  async retry(name: string): Promise<Image> {
    return imageSchema.parse(await bodyOf(await this.post({}, `/${name}/retry`), 202))
  }

  /** Resolves when nothing of it is left. */
  async delete(name: string): Promise<void> {
    const signal = AbortSignal.timeout(patience)
    const headers = this.#headers
    await bodyOf(await fetch(this.url(`/${name}`), { method: 'DELETE', headers, signal }), 202)
  }

  /** @throws Error when the image ends in another phase, with what its condition says */
  async ready(name: string, limit = usually): Promise<Image> {
    return await this.reaches(name, 'Ready', limit)
  }

  async reaches(name: string, phase: Phase, limit = usually): Promise<Image> {
    return await this.until(
      name,
      (image) => {
        const is = image.status.phase
        if (is === phase) return true
        if (is !== 'Failed') return false
        throw new Error(`${name} is Failed, not ${phase}: ${readiness(image).message}`)
      },
      limit,
    )
  }

  /** Asks by long-polling: a change of state is answered at once, mere progress when the short time to wait is over. */
  async until(name: string, holds: (image: Image) => boolean, limit = usually): Promise<Image> {
    const late = AbortSignal.timeout(limit)
    let seen = 'has not been seen'
    for (let etag = '""'; ;) {
      const headers = { ...this.#headers, 'if-none-match': etag }
      const asked = fetch(this.url(`/${name}?wait=200ms`), { headers, signal: late })
      const answer = await asked.catch((cause: unknown) => {
        throw new Error(`${name}, within ${limit} ms: ${seen}`, { cause })
      })
      etag = answer.headers.get('etag') ?? etag
      if (answer.status === 304) continue
      const image = imageSchema.parse(await bodyOf(answer, 200))
      if (holds(image)) return image
      seen = `it is ${JSON.stringify(image.status)}`
    }
  }
}

export async function get(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(url, { headers, signal: AbortSignal.timeout(patience) })
}

/** Sends a whole body to an upload's URL. */
export async function send(url: string, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  return await fetch(url, { method: 'PUT', body, signal: AbortSignal.timeout(patience) })
}

/** The body of a refusal, which is problem+json whatever was asked for. */
export async function problemOf(answer: Response): Promise<Problem> {
  const text = await answer.text()
  if (answer.headers.get('content-type') === 'application/problem+json') {
    return problemSchema.parse(JSON.parse(text))
  }
  throw new Error(`${answer.url} answered ${answer.status}, and no problem: ${text}`)
}

export function uploadUrl({ name, status }: Pick<Image, 'name' | 'status'>): string {
  if (status.imageUploadURLs) return status.imageUploadURLs.external
  throw new Error(`${name} is ${status.phase} and shows no upload URL`)
}

export function readiness(image: Image): Image['status']['conditions'][number] {
  const condition = image.status.conditions.find(({ type }) => type === 'Ready')
  if (condition) return condition
  throw new Error(`${image.name} has no condition Ready`)
}

async function bodyOf(answer: Response, status: number): Promise<unknown> {
  const text = await answer.text()
  if (answer.status === status) return text === '' ? null : JSON.parse(text)
  throw new Error(`${answer.url} answered ${answer.status} instead of ${status}: ${text}`)
}
