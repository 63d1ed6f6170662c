import { rename, rm, symlink, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { tokenSource } from '../../../src/client/token.ts'
import { temporaryFolder } from '../../support/temporary.ts'

test('a token is what the setting says, or nothing', async () => {
  expect(await tokenSource({ token: 'secret', tokenFile: null })()).toBe('secret')
  expect(await tokenSource({ token: null, tokenFile: null })()).toBeNull()
})

test('a token that is replaced as Kubernetes does it is the new one at once', async () => {
  await using folder = await temporaryFolder()
  const at = (name: string) => `${folder.path}/${name}`
  await writeFile(at('first'), 'one.two.three\n')
  await writeFile(at('second'), 'four.five.six')
  await symlink('first', at('token'))
  const token = tokenSource({ token: null, tokenFile: at('token') })
  expect(await token()).toBe('one.two.three')
  await symlink('second', at('next'))
  await rename(at('next'), at('token'))
  expect(await token()).toBe('four.five.six')
})

test('a file that is no good is told, and is used when it is good again', async () => {
  await using folder = await temporaryFolder()
  const path = `${folder.path}/token`
  const token = tokenSource({ token: null, tokenFile: path })
  const told = (why: string) => ({
    code: 'SERVICE_UNREACHABLE',
    message: `SLIPWAY_TOKEN_FILE is "${path}": ${why}`,
  })
  await expect(token()).rejects.toMatchObject(told('it cannot be read (ENOENT)'))
  for (const text of ['', '\n', 'two words', 'x\ny']) {
    await writeFile(path, text)
    await expect(token()).rejects.toMatchObject(told('it holds no token'))
  }
  await writeFile(path, 'secret\n')
  expect(await token()).toBe('secret')
  await rm(path)
  await expect(token()).rejects.toMatchObject(told('it cannot be read (ENOENT)'))
})
