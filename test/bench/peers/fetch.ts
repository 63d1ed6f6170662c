import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench, Contender } from '../bench.ts'
import { run } from '../command.ts'

const name = 'curl | tee | openssl, sync'

const script = 'set -o pipefail; curl -sSf "$1" | tee "$2" | openssl dgst -sha256 -r && sync "$2"'

/** What an administrator would do: hash what comes while it is written, and bring it to the disk. */
export const receiveAndHash = {
  name,
  from(url: string, { folder, file, within, signal }: Bench): Contender {
    const copy = join(folder, 'copy')
    const fetch = async () => {
      const told = await run('bash', ['-c', script, 'bash', url, copy], within, signal)
      if (!told.startsWith(file.sha256)) throw new Error(`openssl tells another digest: ${told}`)
    }
    return { name, pid: null, begin: async () => ({ run: fetch, end: () => rm(copy) }) }
  },
}
