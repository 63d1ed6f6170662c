import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sealQuery, sealSecrets, splitSecrets, withSecrets } from '../../../src/work/secrets.ts'
import { ServerKey, tokenHash } from '../../../src/work/server-key.ts'
import { newImage, openCatalog } from '../../support/catalog.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const key = new ServerKey(Buffer.alloc(32, 1))

describe('upload tokens', () => {
  test('have 32 letters and digits, and are others for every image, attempt and key', () => {
    const tokens = [
      key.uploadToken('a', 1),
      key.uploadToken('a', 2),
      key.uploadToken('b', 1),
      new ServerKey(Buffer.alloc(32, 2)).uploadToken('a', 1),
    ]
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9]{32}$/)
    expect(new Set(tokens).size).toBe(tokens.length)
    expect(key.uploadToken('a', 1)).toBe(tokens[0])
    expect(tokenHash(tokens[0] ?? '')).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('the server key', () => {
  test('is made once, for this user alone', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'server.key')
    const made = await ServerKey.load(path)
    const read = await ServerKey.load(path)
    expect(read.uploadToken('a', 1)).toBe(made.uploadToken('a', 1))
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('opens what it sealed, for the same image and unchanged', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(), (text, position) => {
        const sealed = Buffer.from(key.seal(text, 'a'))
        expect(key.unseal(sealed, 'a')).toBe(text)
        expect(() => key.unseal(sealed, 'b')).toThrow()
        const at = position % sealed.length
        sealed[at] = (sealed[at] ?? 0) ^ 1
        expect(() => key.unseal(sealed, 'a')).toThrow()
      }),
    )
  })
})

describe('secrets of a data source', () => {
  test.each([
    { url: 'https://user:pass%40@example.com/a.img' },
    { url: 'https://example.com/a.img?signature=topsecret' },
    { url: 'https://example.com/a.img', auth: { bearer: 'topsecret' } },
    { url: 'https://example.com/a.img', auth: { basic: { username: 'u', password: 'topsecret' } } },
  ])('of %j are taken out, sealed, and put back for the import', async (http) => {
    const source = { type: 'HTTP', http } as const
    const { shown, secrets, query } = splitSecrets(source)
    expect(JSON.stringify(shown)).not.toMatch(/topsecret|pass/)
    await using opened = await openCatalog()
    const image = await opened.catalog.transaction(({ images }) =>
      images.add(
        newImage('a', {
          dataSource: shown,
          secrets: sealSecrets(secrets, 'uid-a', key),
          sealedQuery: sealQuery(query, 'uid-a', key),
        }),
      ),
    )
    const sealed = image.secrets ?? image.sealedQuery ?? []
    expect(sealed.length).toBeGreaterThan(0)
    expect(Buffer.from(sealed).toString('latin1')).not.toContain('topsecret')
    expect(image.hadSecrets).toBe(image.secrets !== null)
    expect(withSecrets(image, key)).toEqual(source)
  })

  test('that it does not have leave it as it is', () => {
    const source = { type: 'HTTP', http: { url: 'https://example.com/~a%20b' } } as const
    expect(splitSecrets(source)).toEqual({ shown: source, secrets: null, query: null })
  })
})
