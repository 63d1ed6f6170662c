import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { expect } from 'vitest'
import { imageSchema } from '../../src/image/status.ts'
import { corpus } from '../fixtures/corpus/corpus.ts'
import type { Member } from '../fixtures/corpus/member.ts'
import { makeable, Workbench } from '../support/corpus.ts'
import { mebibyte } from '../support/disks.ts'
import { collectGarbage } from '../support/fuzz/collect.ts'
import { harmed } from '../support/fuzz/images.ts'
import { inParallel } from '../support/fuzz/in-parallel.ts'
import { expectNothing } from '../support/leftovers.ts'
import { get, problemOf, send } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { tryOut, type Trial } from './trial.ts'

/** Of one round, from as many files of the corpus as there are. */
const images = 60
/** At the same time. */
const senders = 6
/** What is sent whole, in bytes: others of the corpus are disks of gigabytes. */
const largest = 4 * mebibyte

tryOut('fuzz-images', async (trial) => {
  const members = makeable(corpus)
  await using bench = await Workbench.of(members)
  const wholes = await smallOf(members, bench)
  await using service = await startService()
  for (const { index, random } of trial.rounds()) {
    const sent = Array.from({ length: images }, (_, nth) => ({
      name: `r${index}-${nth}`,
      bytes: harmed(random.pick(wholes), random),
    }))
    await inParallel(senders, sent, async (each) => await sendOne(trial, service, each))
    trial.tried += images
    expect(await service.rest.names()).toEqual([])
  }
  await collectGarbage(service.base)
  await service.stop()
  await expectNothing(service.folder)
})

async function smallOf(
  members: readonly Member[],
  bench: Workbench<Member>,
): Promise<readonly [Buffer, ...Buffer[]]> {
  const found: Buffer[] = []
  for (const member of members) {
    const path = await bench.pathOf(member)
    if ((await stat(path)).size <= largest) found.push(await readFile(path))
  }
  const [first, ...others] = found
  if (!first) throw new Error('no file of the corpus is small')
  return [first, ...others]
}

type Sent = { readonly name: string; readonly bytes: Buffer<ArrayBuffer> }

/** It is Ready, and what is read is what was sent; or refused in words. Either way it can be deleted. */
async function sendOne(trial: Trial, { rest }: Service, { name, bytes }: Sent): Promise<void> {
  const answer = await send(await rest.createUpload(name), bytes)
  if (answer.status === 201) {
    trial.note('taken')
    const { status } = imageSchema.parse(await answer.json())
    expect(status.source).toMatchObject({ sha256: sha256(bytes), bytes: String(bytes.length) })
    const disk = await get(rest.url(`/${name}/disk`))
    expect(disk.status).toBe(200)
    expect(disk.headers.get('etag')).toBe(
      `"sha256:${sha256(Buffer.from(await disk.arrayBuffer()))}"`,
    )
  } else {
    expect(answer.status, name).toBeGreaterThanOrEqual(400)
    expect(answer.status, name).toBeLessThan(500)
    const { code } = await problemOf(answer)
    expect(code).not.toBe('INTERNAL')
    expect((await rest.image(name)).status.phase, code).toBe('Failed')
  }
  await rest.delete(name)
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
