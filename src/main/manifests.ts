import type { Readable } from 'node:stream'
import type { z } from 'zod'
import { errno, Refusal } from '../errors.ts'

/** One manifest, and where it was found. */
export type Document = { readonly file: string; readonly kind: string; readonly value: object }

/**
 * The manifests of a file of YAML or JSON, `-` for standard input; those that a List holds in its place.
 * @throws Refusal when it is a folder, too large, or none; the system's error when it cannot be read
 */
export async function documentsOf(file: string): Promise<Document[]> {
  return (await valuesOf(file)).flatMap((value) => known(file, value))
}

/** As `documentsOf`, whatever they are. */
export async function valuesOf(file: string): Promise<unknown[]> {
  const { loadAll } = await import('js-yaml')
  const text = await textOfFile(file)
  try {
    return loadAll(text).flatMap(itemsOf)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : ''
    throw new Refusal('INVALID_REQUEST', `${file} is no YAML: ${why}`, { cause })
  }
}

function itemsOf(value: unknown): readonly unknown[] {
  const isList = isObject(value) && 'kind' in value && value.kind === 'List'
  return isList && 'items' in value && Array.isArray(value.items) ? value.items : [value]
}

function known(file: string, value: unknown): Document[] {
  if (!isObject(value) || !('kind' in value) || typeof value.kind !== 'string') return []
  return [{ file, kind: value.kind, value }]
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Those that the schema takes; what is wrong with the others goes to `problems`, a line for each field. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  documents: readonly Document[],
  problems: string[],
): z.output<Schema>[] {
  return documents.flatMap(({ file, kind, value }) => {
    const result = schema.safeParse(value)
    if (result.success) return [result.data]
    const label = `${file}: ${kind}${nameOf(value)}`
    problems.push(...result.error.issues.map((issue) => `${label}: ${told(issue)}`))
    return []
  })
}

function nameOf(value: object): string {
  const metadata = 'metadata' in value ? value.metadata : null
  const name = isObject(metadata) && 'name' in metadata ? metadata.name : null
  return typeof name === 'string' ? ` "${name}"` : ''
}

/** What is wrong with a field. */
export function told(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') return `${path}: ${issue.message}`
  return issue.keys.map((key) => `${path}.${key}: there is no such field`).join('; ')
}

/** No manifest is larger: etcd takes 1.5 MiB. */
const largest = 4 * 1024 * 1024

/** @throws Refusal for a folder, for what is too large or no text; the system's error when it cannot be read */
export async function textOfFile(file: string): Promise<string> {
  const bytes = await bytesOfFile(file)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new Refusal('INVALID_REQUEST', `${file} is no text in UTF-8`, { cause })
  }
}

/** The system does not say which file it was that is a folder. */
async function bytesOfFile(file: string): Promise<Buffer> {
  const { createReadStream } = await import('node:fs')
  try {
    return await bytesOf(file, file === '-' ? process.stdin : createReadStream(file))
  } catch (cause) {
    if (errno(cause) !== 'EISDIR') throw cause
    throw new Refusal('INVALID_REQUEST', `${file} is a folder; name the files in it`, { cause })
  }
}

async function bytesOf(file: string, stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > largest) {
      throw new Refusal('CONTENT_TOO_LARGE', `${file} has more than ${largest} bytes`)
    }
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
