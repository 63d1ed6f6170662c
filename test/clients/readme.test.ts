import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Dvcr, dvcrNames } from '../support/dvcr.ts'
import { needs } from '../support/programs.ts'
import { readBlocks } from '../support/readme-blocks.ts'
import { copyProject } from '../support/readme-copy.ts'
import { Terminals } from '../support/readme-terminals.ts'
import { temporaryFolder } from '../support/temporary.ts'

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
const { blocks, lost } = readBlocks(readme)
const played = blocks.filter(({ way }) => way !== null)
const others = blocks.filter(({ way }) => way === null)

const able = [
  needs('jq', 'apt-get install jq'),
  needs('curl', 'apt-get install curl'),
  needs('git', 'apt-get install git'),
  needs('skopeo', 'apt-get install skopeo'),
  needs('openssl', 'apt-get install openssl'),
  needs('htpasswd', 'apt-get install apache2-utils'),
  needs('genisoimage', 'apt-get install genisoimage'),
  needs('docker-registry', 'apt-get install docker-registry'),
].every(Boolean)

test('what is not run has a reason, and each reason a block', () => {
  const silent = others.filter(({ reason }) => reason === null).map(({ line }) => line)
  const both = played.filter(({ reason }) => reason !== null).map(({ line }) => line)
  expect({ silent, both, lost }).toEqual({ silent: [], both: [], lost: [] })
})

test.for(others)('line $line is not run: $reason', ({ text, reason }) => {
  expect(text).not.toBe('')
  expect(reason).toMatch(/\w{4}/)
})

describe.skipIf(!able)('what the README says is typed, in order', () => {
  const resources = new AsyncDisposableStack()
  let terminals: Terminals

  beforeAll(async () => {
    const folder = resources.use(await temporaryFolder())
    const [cwd, home, scratch] = ['slipway', 'home', 'scratch'].map((name) =>
      join(folder.path, name),
    )
    if (!cwd || !home || !scratch) throw new Error('no folders')
    for (const path of [cwd, home, scratch]) await mkdir(path)
    await copyProject(cwd)
    const dvcr = await Dvcr.prepare(join(folder.path, 'dvcr'), cwd)
    const env = { PATH: process.env['PATH'], HOME: home, XDG_RUNTIME_DIR: home, TMPDIR: scratch }
    // The registry to move from is on this machine, where imports go only when they may.
    const settings = { SLIPWAY_SOURCE_ALLOW: '127.0.0.1', ...dvcr.variables }
    terminals = resources.use(await Terminals.open({ cwd, scratch, env: { ...env, ...settings } }))
    await terminals.type(dvcr.start)
  })

  afterAll(() => resources.disposeAsync())

  test.for(played)('line $line', async (block) => {
    await terminals.play(block)
  })

  test('the images of DVCR are here', async () => {
    for (const name of dvcrNames) {
      const url = `127.0.0.1:8080/api/v1/images/${name}`
      await terminals.type(`curl -sSf ${url} | jq -e '.status.phase == "Ready"'`)
    }
  })
})
