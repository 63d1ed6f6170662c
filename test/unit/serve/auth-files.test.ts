import { appendFile, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { linesOf, unreadable } from '../../../src/env/file-lines.ts'
import { parsePasswords } from '../../../src/serve/auth/htpasswd-file.ts'
import { parseTokens } from '../../../src/serve/auth/tokens-file.ts'
import { WatchedFile } from '../../../src/env/watched-file.ts'
import { tokenLine, tokenOf } from '../../support/callers.ts'
import { needs } from '../../support/programs.ts'
import { run } from '../../support/shell.ts'
import { temporaryFolder } from '../../support/temporary.ts'
import { listening } from './listener-under-test.ts'

const origin = { variable: 'SLIPWAY_TOKENS_FILE', path: '/etc/callers' }
const hash = 'a'.repeat(64)
const bcryptHash = `$2y$05$${'a'.repeat(53)}`

describe('the tokens file', () => {
  test('names callers, their roles and the hashes of their tokens, beside comments', () => {
    const text = `# who\n\n${tokenLine('ci', 'editor')}\r\n${tokenLine('ops@example.com', 'admin')}`
    const tokens = parseTokens(text, origin)
    expect(tokens.find(tokenOf('ci'), null)).toMatchObject({ name: 'ci', role: 'editor' })
    expect(tokens.find(tokenOf('ci'), 'ci')).toMatchObject({ name: 'ci' })
    expect(tokens.find(tokenOf('ci'), 'ops@example.com')).toBeNull()
    expect(tokens.find('other', null)).toBeNull()
    expect(parseTokens('', origin).find('', null)).toBeNull()
  })

  test('may hold two tokens of one name, so that one can follow the other', () => {
    const tokens = parseTokens(
      tokenLine('ci', 'editor', 'old') + tokenLine('ci', 'viewer', 'new'),
      origin,
    )
    const [old, young] = [tokens.find('old', 'ci'), tokens.find('new', 'ci')]
    expect([old?.role, young?.role]).toEqual(['editor', 'viewer'])
    expect(old?.stamp).not.toBe(young?.stamp)
    expect(tokens.byStamp('ci', young?.stamp ?? '')).toEqual(young)
    expect(tokens.byStamp('ci', 'other')).toBeNull()
  })

  test.each([
    `ci:editor`,
    `ci:editor:${hash}0`,
    `ci:owner:${hash}`,
    `:editor:${hash}`,
    `anonymous:viewer:${hash}`,
    `*:viewer:${hash}`,
    `c i:viewer:${hash}`,
    `ci:viewer:${hash}:more`,
    `ci:viewer:plain-secret`,
  ])('is refused with the line %s, which is not repeated', (line) => {
    const parse = () => parseTokens(`# one\n${line}`, origin)
    expect(parse).toThrow('SLIPWAY_TOKENS_FILE is "/etc/callers", line 2: ')
    expect(parse).toThrow('name:role:sha256')
    expect(parse).not.toThrow(/plain-secret|a{64}/)
  })

  test('is refused when two lines hold the same token', () => {
    const text = tokenLine('a', 'viewer', 'same') + tokenLine('b', 'admin', 'same')
    expect(() => parseTokens(text, origin)).toThrow(
      'line 2: the same token stands in a line before',
    )
  })
})

describe('the htpasswd file', () => {
  test.skipIf(!needs('htpasswd', 'apt-get install apache2-utils'))(
    'is taken as htpasswd -B writes it',
    async () => {
      const line = await run('htpasswd', ['-nbB', '-C', '4', 'node', 'secret'])
      const entry = parsePasswords(line, origin).get('node')
      expect(entry).toMatchObject({ identity: { name: 'node', role: 'puller' } })
      expect(entry?.hash).toMatch(/^\$2b\$04\$/)
    },
  )

  test.each([
    ['node', 'a line is name:hash'],
    ['node:$apr1$x$y', 'the hash of "node" is not bcrypt; make it with `htpasswd -B FILE NAME`'],
    ['node:{SHA}abc', 'is not bcrypt'],
    ['node:plain', 'is not bcrypt'],
    [`node:${bcryptHash}x`, 'is not bcrypt'],
    [`node:${bcryptHash.replace('05', '31')}`, 'its cost is 31, allowed: 04 to 16'],
    [`anonymous:${bcryptHash}`, 'stands for callers without credentials'],
    [`node:${bcryptHash}\nnode:${bcryptHash}`, '"node" stands in a line before'],
  ])('is refused with %j: %s', (text, told) => {
    expect(() => parsePasswords(text, origin)).toThrow(told)
  })

  test.each(['$2a$', '$2b$', '$2y$'])('takes %s', (kind) => {
    const text = `node:${bcryptHash.replace('$2y$', kind)}`
    expect(parsePasswords(text, origin).size).toBe(1)
  })
})

describe('a watched file', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeAll(async () => {
    folder = await temporaryFolder()
  })
  afterAll(() => folder[Symbol.asyncDispose]())

  /** Its content is its lines; a line "bad" makes it unusable. */
  async function watch(path: string) {
    const { log, lines } = listening()
    const clock = { now: 0 }
    const file = await WatchedFile.open({
      origin: { variable: 'SLIPWAY_TOKENS_FILE', path },
      parse(text, origin) {
        const lines = linesOf(text)
        const bad = lines.find(({ text }) => text === 'bad')
        if (bad) throw unreadable(origin, bad.number, 'it is bad')
        return lines.map(({ text }) => text)
      },
      log,
      now: () => clock.now,
    })
    const look = async () => {
      await file.look()
      return file.content
    }
    const later = async () => {
      clock.now += 1000
      return await look()
    }
    return { look, later, errors: () => lines.filter(({ level }) => level === 50) }
  }

  test('is read again when it has changed, a second later at the latest', async () => {
    const path = join(folder.path, 'changes')
    await writeFile(path, 'one')
    const { look, later } = await watch(path)
    await appendFile(path, '\ntwo')
    expect(await look()).toEqual(['one'])
    expect(await later()).toEqual(['one', 'two'])
    await writeFile(path, '')
    expect(await later()).toEqual([])
  })

  test('is followed through links that are swapped', async () => {
    const mount = join(folder.path, 'mount')
    for (const version of ['v1', 'v2']) {
      await mkdir(join(mount, version), { recursive: true })
      await writeFile(join(mount, version, 'tokens'), version)
    }
    await symlink('v1', join(mount, '..data'))
    await symlink('..data/tokens', join(mount, 'tokens'))
    const { look, later } = await watch(join(mount, 'tokens'))
    expect(await look()).toEqual(['v1'])
    await symlink('v2', join(mount, '..new'))
    await rename(join(mount, '..new'), join(mount, '..data'))
    expect(await later()).toEqual(['v2'])
  })

  test('keeps what it said when it becomes bad or goes, and says so once for each change', async () => {
    const path = join(folder.path, 'worse')
    await writeFile(path, 'one')
    const { later, errors } = await watch(path)
    await writeFile(path, 'one\nbad')
    expect(await later()).toEqual(['one'])
    expect(await later()).toEqual(['one'])
    expect(errors()).toHaveLength(1)
    expect(errors()[0]?.msg).toContain(`SLIPWAY_TOKENS_FILE is "${path}", line 2: it is bad`)
    await rm(path)
    expect(await later()).toEqual(['one'])
    expect(await later()).toEqual(['one'])
    expect(errors()).toHaveLength(2)
    expect(errors()[1]?.msg).toContain('it cannot be read (ENOENT)')
    await writeFile(path, 'two')
    expect(await later()).toEqual(['two'])
  })

  test('that is missing, a folder or too large does not open', async () => {
    await expect(watch(join(folder.path, 'missing'))).rejects.toThrow('cannot be read (ENOENT)')
    await expect(watch(folder.path)).rejects.toThrow('cannot be read (EISDIR)')
    const path = join(folder.path, 'large')
    await writeFile(path, Buffer.alloc(5 * 1024 * 1024, '#'))
    await expect(watch(path)).rejects.toThrow('larger than 4194304 bytes')
  })
})
