import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Access } from '../../../src/kube/access.ts'
import { temporaryFolder } from '../../support/temporary.ts'

type Parts = { readonly cluster?: object; readonly user?: object }

async function open({ cluster = {}, user = {} }: Parts) {
  await using undo = new AsyncDisposableStack()
  const folder = undo.use(await temporaryFolder())
  const at = (name: string) => join(folder.path, name)
  const server = 'https://cluster.example.com:6443/k8s/clusters/c-1/'
  const config = {
    'current-context': 'here',
    clusters: [{ name: 'here', cluster: { server, ...cluster } }],
    users: [{ name: 'me', user }],
    contexts: [{ name: 'here', context: { cluster: 'here', user: 'me', namespace: 'home' } }],
  }
  await writeFile(at('config'), JSON.stringify(config))
  const access = undo.use(new Access([at('config')]))
  const held = undo.move()
  return { access, at, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

describe('the access to the API server', () => {
  test('is told by the configuration: where, as whom, and what stands before all paths', async () => {
    await using opened = await open({ user: { token: 'secret' } })
    expect(await opened.access.way()).toMatchObject({
      origin: 'https://cluster.example.com:6443',
      prefix: '/k8s/clusters/c-1',
      headers: { authorization: 'Bearer secret' },
    })
    expect(opened.access.namespace).toBe('home')
  })

  test('is told by the files that are there, of several, and by none if none is', async () => {
    await using opened = await open({ user: { token: 'secret' } })
    const [missing, there] = [opened.at('missing'), opened.at('config')]
    await using access = new Access([missing, there, missing])
    expect(access.server).toBe(opened.access.server)
    expect(() => new Access([missing, missing])).toThrow(/no good: .*missing.*; set KUBECONFIG/)
  })

  test('is by name and password, too', async () => {
    await using opened = await open({ user: { username: 'me', password: 'x:y' } })
    const { headers } = await opened.access.way()
    expect(headers).toEqual({ authorization: `Basic ${Buffer.from('me:x:y').toString('base64')}` })
  })

  test('keeps one agent until a certificate is another one', async () => {
    await using opened = await open({
      cluster: { 'certificate-authority': 'ca.pem' },
      user: { token: 'secret' },
    })
    await writeFile(opened.at('ca.pem'), 'one')
    const first = await opened.access.way()
    expect((await opened.access.way()).dispatcher).toBe(first.dispatcher)
    await writeFile(opened.at('ca.pem'), 'two')
    expect((await opened.access.way()).dispatcher).not.toBe(first.dispatcher)
  })

  test('is by what a program gives, which is asked again when it is good no more', async () => {
    await using undo = new AsyncDisposableStack()
    const folder = undo.use(await temporaryFolder())
    const program = join(folder.path, 'plugin')
    const status = { token: 'given', expirationTimestamp: new Date(Date.now() + 3_600_000) }
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status,
    }
    const script = `#!/bin/sh\necho asked >> ${program}.log\ncat <<'END'\n${JSON.stringify(credential)}\nEND\n`
    await writeFile(program, script)
    await chmod(program, 0o700)
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: program }
    await using opened = await open({ user: { exec } })
    expect((await opened.access.way()).headers).toEqual({ authorization: 'Bearer given' })
    expect((await opened.access.way()).headers).toEqual({ authorization: 'Bearer given' })
    const asked = () => readFile(`${program}.log`, 'utf8')
    expect(await asked()).toBe('asked\n')
    opened.access.reload()
    await opened.access.way()
    expect(await asked()).toBe('asked\nasked\n')
  })
})
