import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { z } from 'zod'
import { get, type Image, type Rest } from './rest.ts'
import { serveOn, type Service, type Variables } from './service.ts'
import { attempt, run, type Ended } from './shell.ts'

/** The service is stopped, and its catalog gone. */
export async function loseCatalog({ folder }: Service): Promise<void> {
  const files = (await readdir(folder)).filter((name) => name.startsWith('catalog.sqlite'))
  await Promise.all(files.map((name) => rm(join(folder, name))))
}

/** Runs one of the program's commands on a data folder. */
export async function slipway(
  folder: string,
  args: readonly string[],
  variables: Variables = {},
): Promise<Ended> {
  const { args: serve, env } = serveOn(folder, variables)
  return await attempt(process.execPath, [...serve.slice(0, 1), ...args], { env })
}

/** What it tells as JSON; it has to succeed. */
export async function rebuild(folder: string): Promise<unknown> {
  const { args, env } = serveOn(folder)
  const out = await run(process.execPath, [...args.slice(0, 1), 'rebuild', '-o', 'json'], { env })
  return JSON.parse(out)
}

/** Everything that clients see of images and repositories, with the bytes of the images' disks as their sha256. */
export async function everythingOf({ base, rest }: Service) {
  const images: unknown[] = []
  for (const { name, status } of await allOf(rest)) {
    const sha256 = status.phase === 'Ready' ? await sha256Of(rest.url(`/${name}/disk`)) : null
    images.push({ image: await answer(rest.url(`/${name}`)), sha256 })
  }
  const catalog = await answer(`${base}/v2/_catalog?n=10000`)
  const { repositories } = catalogSchema.parse(JSON.parse(catalog.body))
  const tags: unknown[] = []
  for (const name of repositories) tags.push(await answer(`${base}/v2/${name}/tags/list`))
  return { images, tags }
}

const catalogSchema = z.object({ repositories: z.array(z.string()) })

async function allOf(rest: Rest): Promise<readonly Image[]> {
  const all: Image[] = []
  for (let query: string | null = '?limit=500'; query !== null;) {
    const page: Awaited<ReturnType<Rest['list']>> = await rest.list(query)
    all.push(...page.items)
    query = page.continue === undefined ? null : `?limit=500&continue=${page.continue}`
  }
  return all
}

/** An answer with all that it says, but for what is another one each time. */
export async function answer(url: string) {
  const response = await get(url)
  const headers = Object.fromEntries(response.headers)
  for (const name of ['date', 'x-request-id', 'connection', 'keep-alive']) delete headers[name]
  return { status: response.status, headers, body: await response.text() }
}

async function sha256Of(url: string): Promise<string> {
  const hash = createHash('sha256')
  const { body } = await get(url)
  for await (const chunk of body ?? []) hash.update(chunk)
  return hash.digest('hex')
}

/** All rows of what a rebuild makes, but for times that nobody is shown. */
export function rowsOf(folder: string): unknown {
  const database = new Sqlite(join(folder, 'catalog.sqlite'), { readonly: true })
  const all = (query: string) => database.prepare(query).all()
  try {
    return {
      images: all('select * from images order by uid'),
      blobs: all('select digest, size, state from blobs order by digest'),
      manifests: all(
        'select repository, digest, media_type, size, subject, artifact_type, annotations from manifests order by 1, 2',
      ),
      tags: all('select repository, name, digest from tags order by 1, 2'),
      references: all('select * from blob_references order by 1, 2, 3'),
      leases: all('select * from leases'),
    }
  } finally {
    database.close()
  }
}
