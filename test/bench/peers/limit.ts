import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench, Contender } from '../bench.ts'
import { run } from '../command.ts'

/** What the machine itself can do with an upload: hash the file while a copy of it is brought to the disk. */
export function copyAndHash(bench: Bench): Contender {
  const { folder, file, within, signal } = bench
  const copy = join(folder, 'copy')
  const store = async () => {
    await run('cp', ['--reflink=never', file.path, copy], within, signal)
    await run('sync', [copy], within, signal)
  }
  const hash = async () => {
    const told = await run('openssl', ['dgst', '-sha256', '-r', file.path], within, signal)
    if (!told.startsWith(file.sha256)) throw new Error(`openssl tells another digest: ${told}`)
  }
  return {
    name: 'limit (cp, sync | openssl)',
    pid: null,
    begin: async () => ({
      run: async () => void (await Promise.all([store(), hash()])),
      end: () => rm(copy),
    }),
  }
}
