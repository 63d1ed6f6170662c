import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import type { z } from 'zod'
import type { Catalog } from '../../catalog/catalog.ts'
import type { Image } from '../../catalog/images.ts'
import type { Checkup } from '../../work/checkup.ts'
import { unknownImage, type Intake } from '../../work/intake.ts'
import { demandImage, mayPull, reaches } from '../auth/access.ts'
import { matches } from '../bytes.ts'
import type { Call, Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import { body, query } from './asked.ts'
import { sendDisk } from './disk.ts'
import { sendEvents, type EventOptions } from './events.ts'
import { matchesState, tagOf } from './etag.ts'
import type { ImageShelf, Written } from './image-shelf.ts'
import { demandSource } from './own-image.ts'
import type { PublicNames } from '../public-names.ts'
import type { Presenter } from './present.ts'
import type { ImageBody } from '../../image/status.ts'
import { createSchema, deleteQuery, getQuery, listQuery } from './schema.ts'
import { visible } from './visible.ts'
import { untilChanged } from './wait.ts'

export type ApiOptions = EventOptions & {
  readonly catalog: Catalog
  readonly checkup: Checkup
  readonly intake: Intake
  readonly presenter: Presenter
  readonly imageShelf: ImageShelf
  readonly names: () => PublicNames
}

/** `/api/v1/images` (http-api, "REST"). */
export function imageRoutes(options: ApiOptions): Routes {
  const { intake, presenter, names } = options
  return new Hono<Env>()
    .post('/', async (c) => {
      const { name, dataSource, owner } = await body(c, createSchema)
      demandImage(c, 'push', name)
      demandSource(c, dataSource, names())
      const wanted = { name, dataSource, ownerUid: owner?.uid ?? null }
      const { image, created } = await intake.create(wanted, mayPull(c))
      if (created) tell(c, image, 'image created')
      c.header('location', `/api/v1/images/${name}`)
      return shown(c, await presenter.show(image), created ? 201 : 200)
    })
    .get('/', async (c) => c.json(await page(c, query(c, listQuery), options)))
    .get('/:name', (c) => one(c, options))
    .delete('/:name', async (c) => {
      demandImage(c, 'delete', c.req.param('name'))
      const { uid = null } = query(c, deleteQuery)
      await intake.remove(c.req.param('name'), uid)
      tell(c, { name: c.req.param('name'), uid }, 'image deleted')
      return c.body(null, 202)
    })
    .post('/:name/retry', async (c) => {
      demandImage(c, 'push', c.req.param('name'))
      demandSource(c, (await find(options, c.req.param('name'))).dataSource, names())
      const image = await intake.retry(c.req.param('name'))
      tell(c, image, 'image started again')
      return shown(c, await presenter.show(image), 202)
    })
    .get('/:name/disk', async (c) => {
      demandImage(c, 'pull', c.req.param('name'))
      return await sendDisk(c, await find(options, c.req.param('name')), options.checkup)
    })
    .get('/:name/events', (c) => sendEvents(c, c.req.param('name'), options))
    .all('/', only('GET', 'HEAD', 'POST'))
    .all('/:name', only('GET', 'HEAD', 'DELETE'))
    .all('/:name/retry', only('POST'))
    .all('/:name/disk', only('GET', 'HEAD'))
    .all('/:name/events', only('GET', 'HEAD'))
}

/** The log knows who has done what. */
function tell(c: Call, { name, uid }: { name: string; uid: string | null }, what: string): void {
  c.get('log').info({ image: name, uid, caller: c.get('caller').name }, what)
}

async function find({ catalog }: ApiOptions, name: string): Promise<Image> {
  const image = await catalog.read.images.byName(name)
  if (!image) throw unknownImage(name)
  return image
}

async function one(c: Call, { imageShelf, catalog, closing }: ApiOptions): Promise<Response> {
  const { wait } = query(c, getQuery)
  const name = c.req.param('name') ?? ''
  const mayWrite = reaches(c, 'write')
  const known = c.req.header('if-none-match')
  let found = await imageShelf.find(name, mayWrite)
  if (wait !== undefined && matchesState(known, found.tag)) {
    const changed = async (progressCounts: boolean) => {
      found = await imageShelf.find(name, mayWrite)
      return !(progressCounts ? matches(known, found.tag.whole) : matchesState(known, found.tag))
    }
    await untilChanged(catalog, name, wait, changed, [closing, c.req.raw.signal])
  }
  return matches(known, found.tag.whole) ? notModified(c, found) : sendWritten(c, found)
}

async function page(
  c: Call,
  filter: z.output<typeof listQuery>,
  { catalog, presenter }: ApiOptions,
) {
  const { limit, phase, format, cdrom } = filter
  const images = await catalog.read.images.list({
    limit: limit + 1,
    after: filter.continue === undefined ? null : cursorName(filter.continue),
    phase: phase ?? null,
    format: format ?? null,
    cdrom: cdrom ?? null,
  })
  const items = await Promise.all(
    images
      .slice(0, limit)
      .map(async (image) => visible(c.get('caller'), await presenter.show(image))),
  )
  const last = images.length > limit ? items.at(-1) : undefined
  return { items, ...(last && { continue: cursor(last.name) }) }
}

function cursor(name: string): string {
  return Buffer.from(name).toString('base64url')
}

function cursorName(text: string): string {
  return Buffer.from(text, 'base64url').toString()
}

function shown(c: Call, body: ImageBody, status: 200 | 201 | 202): Response {
  c.header('etag', tagOf(body).whole)
  c.header('cache-control', 'no-store')
  return c.json(body, status)
}

/** Straight to the connection: most who ask are told that nothing is new, thousands of times a second. */
function notModified({ env }: Call, { tag }: Written): Response {
  env.outgoing.writeHead(304, { etag: tag.whole }).end()
  return RESPONSE_ALREADY_SENT
}

function sendWritten({ env }: Call, { tag, json }: Written): Response {
  const headers = {
    etag: tag.whole,
    'cache-control': 'no-store',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(json)),
  }
  env.outgoing.writeHead(200, headers).end(json)
  return RESPONSE_ALREADY_SENT
}
