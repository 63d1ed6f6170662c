import { basename, join } from 'node:path'
import { FilesystemStore } from '../../src/store/filesystem.ts'
import { CommandKills, type CommandGround } from '../support/command-kills.ts'
import { schemas } from '../support/old-catalogs.ts'
import type { Random } from '../support/random.ts'
import { needsS3, s3Variables, startS3, type S3 } from '../support/s3.ts'
import { openStoreOn } from '../support/s3-store.ts'
import { tryOut } from './trial.ts'

const files: CommandGround = {
  variables: {},
  open: (folder) => FilesystemStore.open(folder),
  stored: (folder) => folder,
  place: (folder) => `filesystem:${folder}`,
}

const prefix = 'scratch'

function inS3(s3: S3): CommandGround {
  const variables = s3Variables(s3.endpoint, s3.bucket, prefix)
  return {
    variables,
    open: (folder) => openStoreOn(s3, join(folder, prefix)),
    stored: () => s3.folder,
    place: () => `s3://${s3.bucket}/${prefix}`,
  }
}

/** A copy below a prefix of its own, which is its folder's name. */
function copyInS3(s3: S3): CommandGround {
  return {
    variables: s3Variables(s3.endpoint, s3.bucket, prefix),
    open: (folder) => openStoreOn(s3, folder),
    stored: (folder) => join(s3.folder, basename(folder)),
    place: (folder) => `s3://${s3.bucket}/${basename(folder)}`,
  }
}

/** As many as `waysOf` has: each is killed on one ground, then each on the other. */
const commands = 6

/** Each command in its turn. @param others where the store is copied to, too */
function waysOf(kills: CommandKills, newest: number, others: readonly CommandGround[]) {
  const to: readonly [CommandGround, ...CommandGround[]] = [files, ...others]
  return [
    (random: Random) => kills.migrate(random, 1 + random.below(newest - 1)),
    (random: Random) => kills.rebuild(random),
    (random: Random) => kills.gc(random),
    (random: Random) => kills.copyStore(random, random.pick(to)),
    (random: Random) => kills.backup(random),
    (random: Random) => kills.scrub(random),
  ]
}

tryOut('kill-commands', async (trial) => {
  await using held = new AsyncDisposableStack()
  const newest = await schemas()
  const s3 = needsS3() ? held.use(await startS3()) : null
  const others = s3 ? [copyInS3(s3)] : []
  const grounds: readonly [CommandGround, ...CommandGround[]] = s3 ? [files, inS3(s3)] : [files]
  const opened = new Map<CommandGround, ReturnType<typeof waysOf>>()
  for (const { index, random } of trial.rounds()) {
    const ground = grounds[Math.floor(index / commands) % grounds.length] ?? files
    const known = opened.get(ground)
    const open = async () => held.use(await CommandKills.open(trial, ground))
    const ways = known ?? waysOf(await open(), newest, others)
    opened.set(ground, ways)
    await ways[index % commands]?.(random)
  }
})
