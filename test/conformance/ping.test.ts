import { expect, test } from 'vitest'
import { expectRefusal } from '../support/conformance-refusal.ts'
import { sharing } from '../support/conformance-registry.ts'

const at = sharing()

test.each(['/v2/', '/v2'])('%s says that this is a registry', async (path) => {
  const reply = await at.registry.get(path)
  expect(reply.status).toBe(200)
  expect(reply.header('docker-distribution-api-version')).toBe('registry/2.0')
  expect(reply.header('content-type')).toBe('application/json')
  expect(reply.json()).toEqual({})
  expect((await at.registry.head(path)).status).toBe(200)
})

test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s is nothing that /v2/ takes', async (method) => {
  const reply = await at.registry.ask(method, '/v2/')
  expectRefusal(reply, 405, 'UNSUPPORTED')
  expect(reply.header('allow')?.split(', ').sort()).toEqual(['GET', 'HEAD'])
})
