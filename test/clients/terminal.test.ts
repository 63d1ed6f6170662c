import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { disk, mebibyte } from '../support/disks.ts'
import { needs } from '../support/programs.ts'
import { startRelay } from '../support/relay.ts'
import { send } from '../support/rest.ts'
import { startService } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { Terminal } from '../support/terminal.ts'

/** Sockets may hold a third of it, and the bar counts what they have taken. */
const size = 96 * mebibyte
const bytes = disk(size)

/** Lines of a terminal that tell how far something is. */
function bars(screen: string): readonly string[] {
  return screen.split('\n').filter((line) => /\d+% .*Mi/.test(line))
}

describe.skipIf(!needs('tmux', 'apt-get install tmux'))('in a terminal', () => {
  test('an upload shows how far it is at any width, stops at Ctrl-C and goes on', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'disk.img'), bytes)
    await using service = await startService()
    await using relay = await startRelay(() => service.base)
    await using terminal = await Terminal.open({ base: relay.base, cwd: folder.path })
    const half = relay.holdAt(size / 2)
    await terminal.type('seq 5; echo "here"')
    await terminal.shows(/^5\nhere$/m)
    await terminal.type('slipway images upload disk.img')
    await half
    await terminal.shows(/^\[=+ +\] \d\d% \d+(?:\.\d)?Mi of 96Mi, .+\/s/m)
    for (const [resized, columns] of [60, 24, 35, 100].entries()) {
      await terminal.resize(columns)
      // Nothing less of what stood above it, and of the line that was wider no more than what was drawn in that moment.
      const typed = '\\nhere\\n\\$ slipway images upload *\\n?disk\\.img\\n'
      const rest = `(?:[^\\n]*\\n){0,${resized + 1}}`
      const bar = `(?=[^\\n]*\\d\\d% )[^\\n]{1,${columns - 1}}$`
      await terminal.shows(new RegExp(typed + rest + bar))
    }
    await terminal.shows(/^\[=+ +\] \d\d%/m)
    await terminal.press('C-c')
    const stopped = await terminal.shows(
      /^stopped at \d\d%; the same command goes on from there\n\$$/m,
    )
    expect(bars(stopped).length).toBeLessThan(4)
    await terminal.type('echo "code $?"')
    await terminal.shows(/^code 130$/m)
    relay.cut()
    await terminal.type('slipway images upload disk.img')
    const sent = await terminal.shows(/^disk is Ready: raw, 96Mi.*\n\$$/m)
    expect(sent).toMatch(/^going on at \d\d%$/m)
    await terminal.type('echo "code $?"')
    await terminal.shows(/^code 0$/m)
    const { source } = (await service.rest.image('disk')).status
    expect(source?.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
    expect(relay.sent).toBeLessThan(size * 1.5)
  })

  test('a download tells where the disk is, and what the shell does with its exit code', async () => {
    await using folder = await temporaryFolder()
    await using service = await startService()
    await using terminal = await Terminal.open({ base: service.base, cwd: folder.path })
    await terminal.type('slipway images download none || echo "code $?"')
    await terminal.shows(/^there is no image "none"\ncode 1$/m)
    await writeFile(join(folder.path, 'disk.img'), bytes)
    await terminal.type('slipway images upload disk.img && slipway images download disk -')
    await terminal.shows(/^a terminal shows no disk/m)
    await terminal.type('slipway images download disk copy && cmp disk.img copy && echo "same"')
    await terminal.shows(/^disk is in copy: 96Mi, sha256:\w+\nsame$/m)
  })

  test('a list fits any width, and what is watched changes in its place until Ctrl-C', async () => {
    await using folder = await temporaryFolder()
    await using service = await startService()
    await using terminal = await Terminal.open({ base: service.base, cwd: folder.path })
    await writeFile(join(folder.path, 'disk.img'), bytes)
    const url = await service.rest.createUpload('first')
    await terminal.resize(40)
    await terminal.type('slipway images ls')
    await terminal.shows(/^NAME +PHASE[^\n]*\nfirst +WaitFor/m)
    await terminal.resize(100)
    await terminal.type('clear; slipway images watch')
    await terminal.shows(/^first +WaitForUserUpload/m)
    await send(url, bytes)
    await expect.poll(() => terminal.pane()).toMatch(/^NAME [^\n]*\nfirst +Ready[^\n]*$/)
    await terminal.press('C-c')
    await terminal.shows(/\n\$$/)
    await terminal.type('echo "code $?"')
    await terminal.shows(/^code (?:0|130)$/m)
  })
})
