import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { basic, tokenOf, writeCallers } from '../support/callers.ts'
import { get, problemOf } from '../support/rest.ts'
import { startService, type Service } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'

describe('who asks', () => {
  const held = new AsyncDisposableStack()
  let service: Service

  beforeAll(async () => {
    const paths = await writeCallers(held.use(await temporaryFolder()).path)
    service = held.use(
      await startService({
        SLIPWAY_TOKENS_FILE: paths.tokens,
        SLIPWAY_HTPASSWD_FILE: paths.passwords,
        SLIPWAY_ANONYMOUS_PULL: 'true',
      }),
    )
  })
  afterAll(() => held.disposeAsync())

  async function asked(headers: Record<string, string> = {}): Promise<Response> {
    return await get(`${service.base}/api/v1/caller`, headers)
  }

  test.each([
    ['admin', ['read', 'write', 'maintain']],
    ['editor', ['read', 'write']],
    ['viewer', ['read']],
  ])('is told by name, with what is open to the role: %s', async (name, reaches) => {
    for (const authorization of [`Bearer ${tokenOf(name)}`, basic(name, tokenOf(name))]) {
      const answer = await asked({ authorization })
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(await answer.json()).toEqual({ name, reaches })
    }
  })

  test('has to show something, though anybody may pull', async () => {
    const nobody = await asked()
    expect(nobody.status).toBe(401)
    expect(nobody.headers.get('www-authenticate')).toContain('Bearer realm="slipway"')
    expect((await asked({ authorization: 'Bearer wrong' })).status).toBe(401)
  })

  test('has more than a password that is for pulling', async () => {
    const answer = await asked({ authorization: basic('node', 'of the cluster') })
    expect(answer.status).toBe(403)
    expect((await problemOf(answer)).detail).toContain('"node" may not read here')
  })

  test('is asked by the page where it matters', async () => {
    const shell = await (await get(service.base)).text()
    expect(shell).toContain('data-callers="known"')
  })
})

test('where there are no credentials everybody may do everything', async () => {
  await using service = await startService()
  const answer = await get(`${service.base}/api/v1/caller`)
  expect(await answer.json()).toEqual({ name: null, reaches: ['read', 'write', 'maintain'] })
  expect(await (await get(service.base)).text()).toContain('data-callers="any"')
})
