import { expect, test } from 'vitest'
import { Outage, Refusal } from '../../../../src/errors.ts'
import { resolve } from '../../../../src/sync/cluster-virtual-image/data-source.ts'
import { ClusterStandIn } from '../../../support/cluster-stand-in.ts'

const never = new AbortController().signal
const secretRef = { namespace: 'team', name: 'source' }
const http = { type: 'HTTP', http: { url: 'http://x/', checksum: { md5: 'x' }, secretRef } }
const image = {
  type: 'ContainerImage',
  containerImage: { image: 'x/y', platform: 'linux/arm64', imagePullSecret: secretRef },
}

function holding(data: Record<string, string>): ClusterStandIn {
  const api = new ClusterStandIn()
  api.putSecret('team', 'source', data)
  return api
}

test('what names no secret goes to the service as it is', async () => {
  const source = { type: 'HTTP', http: { url: 'http://x/', ofTomorrow: 1 } }
  expect(await resolve(source, new ClusterStandIn(), never)).toEqual({ dataSource: source })
})

test.each([
  [{ username: 'me', password: 'a:b\n' }, { basic: { username: 'me', password: 'a:b' } }],
  [{ token: 'abc\n' }, { bearer: 'abc' }],
  [{ token: 'abc\r\n\r\n' }, { bearer: 'abc' }],
  [{ headers: 'a: ä' }, { headers: { a: 'ä' } }],
  [{ headers: 'X-One: 1\r\n\nx-two:two: 2\n' }, { headers: { 'X-One': '1', 'x-two': 'two: 2' } }],
  [
    { token: 'abc', headers: 'a: b' },
    { bearer: 'abc', headers: { a: 'b' } },
  ],
])('a secret with %j is shown to the URL', async (data, auth) => {
  expect(await resolve(http, holding(data), never)).toEqual({
    dataSource: { type: 'HTTP', http: { url: 'http://x/', checksum: { md5: 'x' }, auth } },
  })
})

test.each([
  [{}, /has neither the keys "username" and "password", nor "token", nor "headers"/],
  [
    { headers: '\r\n' },
    /has neither the keys "username" and "password", nor "token", nor "headers"/,
  ],
  [{ token: '\n' }, /has a key "token" that cannot be used: it is no bearer token/],
  [{ token: 'hush\r\nhush' }, /has a key "token" that cannot be used: it is no bearer token/],
  [{ headers: 'a: 1\rb: hush' }, /has a key "headers" whose line 1 is not like/],
  [{ username: 'me' }, /has no key "password"/],
  [{ password: 'hush' }, /has no key "username"/],
  [{ token: 'hush hush' }, /has a key "token" that cannot be used: it is no bearer token/],
  [{ headers: 'hush' }, /has a key "headers" whose line 1 is not like "Name: value"/],
  [{ headers: 'Host: hush' }, /has a key "headers" that cannot be used: it is set by Slipway/],
  [{ headers: 'a: hush\u0001' }, /has a key "headers" that cannot be used: it holds a/],
  [{ token: 'hush', username: 'a', password: 'b' }, /cannot be used: give basic or bearer/],
])('a secret with %j for a URL is told, and none of what it holds', async (data, message) => {
  const resolved = await resolve(http, holding(data), never)
  expect(resolved).toMatchObject({
    finding: {
      phase: 'Pending',
      reason: 'ProvisioningNotStarted',
      source: 'DatasourceNotReady',
      message: expect.stringMatching(message),
    },
  })
  expect(JSON.stringify(resolved)).toMatch(/secret \\"source\\" in the namespace \\"team\\"/)
  expect(JSON.stringify(resolved)).not.toMatch(/hush/)
})

test('the token of an account of the cluster is shown to nobody', async () => {
  const api = new ClusterStandIn()
  api.putSecret('team', 'source', { token: 'hush' }, 'kubernetes.io/service-account-token')
  const text = JSON.stringify(await resolve(http, api, never))
  expect(text).toMatch(/is of the type kubernetes.io\/service-account-token.*; name another one/)
  expect(text).not.toMatch(/hush/)
})

test('a pull secret goes to the service whole', async () => {
  const config = '{"auths": {"registry.example.com/team": {"auth": "bWU6aHVzaA=="}}}'
  const resolved = await resolve(image, holding({ '.dockerconfigjson': config }), never)
  expect(resolved).toEqual({
    dataSource: {
      type: 'ContainerImage',
      containerImage: {
        image: 'x/y',
        platform: 'linux/arm64',
        auth: { '.dockerconfigjson': config },
      },
    },
  })
})

test.each([
  [{ password: 'hush' }, /has no key ".dockerconfigjson"/],
  [{ '.dockerconfigjson': '{"auths": "hush"}' }, /cannot be used: it must be JSON like/],
  [{ '.dockerconfigjson': '{"credHelpers": {"x": "hush"}}' }, /cannot be used: it must be JSON/],
  [{ '.dockerconfigjson': '' }, /cannot be used: it must be JSON like/],
])('a pull secret with %j is told', async (data, message) => {
  const resolved = await resolve(image, holding(data), never)
  expect(resolved).toMatchObject({
    finding: {
      source: 'ContainerRegistrySecretNotFound',
      message: expect.stringMatching(message),
    },
  })
  expect(JSON.stringify(resolved)).not.toMatch(/hush/)
})

test('a secret that is not there, and one that may not be read, are told; an API server that is away is waited for', async () => {
  const api = new ClusterStandIn()
  const problem = async () => JSON.stringify(await resolve(http, api, never))
  expect(await problem()).toMatch(/there is no secret .*source.*; create it/)
  api.refuse(/secrets/, new Refusal('CLUSTER_REFUSED', 'secrets are forbidden'))
  expect(await problem()).toMatch(/may not be read by Slipway \(secrets are forbidden\)/)
  api.refuse(/secrets/, new Outage('CLUSTER_UNAVAILABLE', 'away'))
  await expect(problem()).rejects.toMatchObject({ code: 'CLUSTER_UNAVAILABLE' })
})
