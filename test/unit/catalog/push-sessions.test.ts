import { describe, expect, test } from 'vitest'
import { openCatalog } from '../../support/catalog.ts'

const one = { id: 'one', repository: 'a', algorithm: 'sha256' } as const
const two = { id: 'two', repository: 'b', algorithm: 'sha512' } as const

async function withSessions() {
  const opened = await openCatalog()
  const { catalog, clock } = opened
  await catalog.transaction(({ pushSessions }) => pushSessions.add(one))
  clock.advance(1000)
  await catalog.transaction(({ pushSessions }) => pushSessions.add(two))
  return { ...opened, sessions: catalog.read.pushSessions }
}

describe('push sessions', () => {
  test('are known by their id, until they are removed', async () => {
    await using opened = await withSessions()
    const { sessions, catalog } = opened
    expect(await sessions.byId('one')).toEqual(one)
    expect(await sessions.byId('two')).toEqual(two)
    expect(await sessions.byId('three')).toBeNull()
    expect(await sessions.count()).toBe(2)
    const remove = () => catalog.transaction(({ pushSessions }) => pushSessions.remove('one'))
    expect(await remove()).toBe(true)
    expect(await remove()).toBe(false)
    expect(await sessions.byId('one')).toBeNull()
    expect(await sessions.count()).toBe(1)
  })

  test('are idle from their last touch on, the longest first', async () => {
    await using opened = await withSessions()
    const { sessions, catalog, clock } = opened
    expect(await sessions.idleFor(1000)).toEqual(['one'])
    clock.advance(1000)
    expect(await sessions.idleFor(1000)).toEqual(['one', 'two'])
    const touch = (id: string) => catalog.transaction(({ pushSessions }) => pushSessions.touch(id))
    expect(await touch('one')).toBe(true)
    expect(await touch('three')).toBe(false)
    expect(await sessions.idleFor(1000)).toEqual(['two'])
    expect(await sessions.idleFor(1001)).toEqual([])
  })
})
