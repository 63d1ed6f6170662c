import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dataSourceOf } from '../../../../src/main/images/source.ts'
import { wantedIn } from '../../../../src/main/images/wanted.ts'
import { temporaryFolder } from '../../../support/temporary.ts'

const resources = new AsyncDisposableStack()
const files = { password: '', token: '', ca: '', auth: '' }
let folder = ''
beforeAll(async () => {
  folder = resources.use(await temporaryFolder()).path
  files.password = await write('password', 'p w\n')
  files.token = await write('token', 'tok\r\n')
  files.ca = await write('ca.pem', '-----BEGIN CERTIFICATE-----\nMII=\n')
  files.auth = await write('auth.json', '{"auths": {}}')
})
afterAll(() => resources.disposeAsync())

async function write(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

const url = 'https://example.com/x.img'
const sha256 = 'ab'.repeat(32)

test('options make the data source of a URL, with secrets out of files', async () => {
  const { password, ca, token } = files
  const login = { url, username: 'me', 'password-file': password, 'ca-bundle': ca, insecure: true }
  expect(await dataSourceOf({ ...login, checksum: [`sha256:${sha256}`] })).toEqual({
    type: 'HTTP',
    http: {
      url,
      checksum: { sha256 },
      caBundle: Buffer.from('-----BEGIN CERTIFICATE-----\nMII=\n').toString('base64'),
      insecureSkipTLSVerify: true,
      auth: { basic: { username: 'me', password: 'p w' } },
    },
  })
  expect(await dataSourceOf({ url, 'token-file': token })).toEqual({
    type: 'HTTP',
    http: { url, auth: { bearer: 'tok' } },
  })
})

test('options make all other data sources', async () => {
  expect(await dataSourceOf({ image: 'fedora:40', platform: 'linux/arm64' })).toEqual({
    type: 'ContainerImage',
    containerImage: { image: 'fedora:40', platform: 'linux/arm64' },
  })
  expect(await dataSourceOf({ image: 'fedora', authfile: files.auth })).toMatchObject({
    containerImage: { auth: { '.dockerconfigjson': '{"auths": {}}' } },
  })
  expect(await dataSourceOf({ like: 'other' })).toEqual({
    type: 'ObjectRef',
    objectRef: { kind: 'ClusterVirtualImage', name: 'other' },
  })
  expect(await dataSourceOf({ upload: true })).toEqual({ type: 'Upload', upload: {} })
})

test.each([
  [{}, /exactly one of --url/],
  [{ url, upload: true }, /exactly one of --url/],
  [{ upload: true, platform: 'linux/amd64' }, /--platform does not go with --upload/],
  [{ url, username: 'me' }, /belong together/],
  [{ url, checksum: ['abc'] }, /--checksum is "abc"/],
  [{ url, checksum: ['crc32:ab'] }, /crc32/],
  [{ url: 'ftp://example.com' }, /http or https/],
  [{ url: 'https://me:secret@example.com/' }, /^(?!.*secret).*--password-file/],
])('%o is refused: %s', async (values, message) => {
  await expect(dataSourceOf(values)).rejects.toMatchObject({
    name: 'Refusal',
    message: expect.stringMatching(message),
  })
})

test('a file holds bodies of REST and ClusterVirtualImages, in YAML or JSON', async () => {
  const body = { name: 'a', dataSource: { type: 'Upload' } }
  expect(await wantedIn(await write('a.json', JSON.stringify(body)))).toEqual([body])
  const spec =
    'spec: {dataSource: {type: ObjectRef, objectRef: {kind: ClusterVirtualImage, name: a}}}'
  const manifest = `apiVersion: v1\nkind: ClusterVirtualImage\nmetadata: {name: b}\n${spec}\n`
  const several = await write('both.yaml', `---\n${manifest}---\n${JSON.stringify(body)}\n`)
  expect((await wantedIn(several)).map(({ name }) => name)).toEqual(['b', 'a'])
})

test.each([
  ['', /holds no image/],
  ['{name: a, dataSource: {type: Upload}, more: 1}', /more: there is no such field/],
  ['{kind: Pod, metadata: {name: a}}', /ClusterVirtualImage/],
  [
    '{kind: ClusterVirtualImage, metadata: {name: a}, spec: {dataSource: {type: HTTP, http: {url: "https://example.com/x", secretRef: {name: s, namespace: n}}}}}',
    /a names the secret n\/s, which only a cluster knows; .*--password-file/,
  ],
])('a file with %j is refused', async (text, message) => {
  await expect(wantedIn(await write('bad.yaml', text))).rejects.toMatchObject({
    name: 'Refusal',
    message: expect.stringMatching(message),
  })
})
