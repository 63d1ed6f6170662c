import { describe, expect, test } from 'vitest'
import { mebibyte } from '../support/disks.ts'
import { sparseDisk } from '../support/images.ts'
import { expectOnly } from '../support/leftovers.ts'
import { peakMemory, tellsMemory } from '../support/peak-memory.ts'
import { needs } from '../support/programs.ts'
import { startService } from '../support/service.ts'
import { run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

const able = tellsMemory() && needs('curl', 'apt-get install curl')

/** For 10 GiB, on a machine that has other work, too; in milliseconds. */
const patience = 480_000

describe.skipIf(!able)('memory', () => {
  test('stays under 200 MiB while 10 GiB are uploaded', { timeout: 2 * patience }, async () => {
    await using service = await startService()
    await using folder = await temporaryFolder()
    const size = 10 * 1024 * mebibyte
    const path = await sparseDisk(folder.path, size)
    const url = await service.rest.createUpload('large')
    await run('curl', ['-fsS', url, '-T', path], { limit: patience })
    const { status } = await service.rest.image('large')
    expect(status).toMatchObject({
      phase: 'Ready',
      size: { unpacked: '10Gi', unpackedBytes: String(size) },
    })
    expect(await peakMemory(service.pid)).toBeLessThan(200 * mebibyte)
    await expectOnly(service.folder, ['large'])
  })
})
