import type { Bench, RandomFile } from './bench.ts'
import { run } from './command.ts'

type Clock = Pick<Bench, 'within' | 'signal'>

const octets = { 'content-type': 'application/octet-stream' }

export function blobUrl(base: string, repository: string, digest: string): string {
  return `${base}/v2/${repository}/blobs/${digest}`
}

/** Pushes a file as docker and skopeo do: POST, one PATCH with all bytes, PUT. */
export async function pushFile(
  base: string,
  repository: string,
  { path, sha256 }: RandomFile,
  clock: Clock,
): Promise<void> {
  const begun = await begin(base, repository, clock)
  const location = await patch(path, begun, clock)
  await finish(location, `sha256:${sha256}`, null, clock)
}

/** Pushes few bytes: POST, PUT. */
export async function pushBytes(
  base: string,
  repository: string,
  blob: { readonly digest: string; readonly bytes: Buffer },
  clock: Clock,
): Promise<void> {
  await finish(await begin(base, repository, clock), blob.digest, blob.bytes, clock)
}

/** @param reference a tag or a digest */
export async function putManifest(
  base: string,
  repository: string,
  reference: string,
  manifest: { readonly bytes: Buffer; readonly mediaType: string },
  clock: Clock,
): Promise<void> {
  const headers = { 'content-type': manifest.mediaType }
  const url = `${base}/v2/${repository}/manifests/${reference}`
  await ask(url, { method: 'PUT', headers, body: new Uint8Array(manifest.bytes) }, clock)
}

/** The bytes are gone with it, if nothing uses them. */
export async function deleteBlob(
  base: string,
  repository: string,
  digest: string,
  clock: Clock,
): Promise<void> {
  await ask(blobUrl(base, repository, digest), { method: 'DELETE' }, clock)
}

/** @returns where the bytes go */
async function begin(base: string, repository: string, clock: Clock): Promise<string> {
  const url = `${base}/v2/${repository}/blobs/uploads/`
  const { headers } = await ask(url, { method: 'POST' }, clock)
  return located(headers.get('location'), url)
}

/** In chunks of HTTP, as from a client that does not know the length before. */
async function patch(path: string, url: string, { within, signal }: Clock): Promise<string> {
  const quiet = ['--silent', '--show-error', '--fail-with-body', '--output', '/dev/null']
  const headers = [
    'Expect:',
    'Transfer-Encoding: chunked',
    'Content-Type: application/octet-stream',
  ]
  const sent = ['--request', 'PATCH', ...headers.flatMap((header) => ['--header', header])]
  const args = [...quiet, '--dump-header', '-', ...sent, '--upload-file', path, url]
  const head = await run('curl', args, within, signal)
  return located(/^location: *(\S+)/im.exec(head)?.[1] ?? null, url)
}

async function finish(location: string, digest: string, bytes: Buffer | null, clock: Clock) {
  const url = new URL(location)
  url.searchParams.set('digest', digest)
  const body = bytes && new Uint8Array(bytes)
  await ask(url.href, { method: 'PUT', headers: octets, body }, clock)
}

function located(location: string | null, url: string): string {
  if (location === null) throw new Error(`${url} did not tell where the bytes go`)
  return new URL(location, url).href
}

async function ask(url: string, init: RequestInit, { within, signal }: Clock): Promise<Response> {
  const bounded = AbortSignal.any([AbortSignal.timeout(within), signal])
  const response = await fetch(url, { ...init, signal: bounded })
  const text = await response.text()
  if (response.ok) return response
  throw new Error(`${init.method} ${url} answered ${response.status}: ${text}`)
}
