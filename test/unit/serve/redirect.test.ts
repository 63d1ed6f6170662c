import { expect, test } from 'vitest'
import { isReachable } from '../../../src/serve/registry/redirect.ts'

test.each([
  [null, true],
  ['https://s3.eu-central-1.amazonaws.com', true],
  ['https://objects.example.com:9000', true],
  ['http://203.0.113.7:9000', true],
  ['http://[2001:db8::7]:9000', true],
  ['http://172.32.0.1', true],
  ['http://100.128.0.1', true],
  ['http://minio:9000', false],
  ['http://localhost:9000', false],
  ['http://rook-ceph-rgw.rook-ceph.svc', false],
  ['http://rook-ceph-rgw.rook-ceph.svc.cluster.local:80', false],
  ['http://storage.lan', false],
  ['http://127.0.0.1:9000', false],
  ['http://10.1.2.3:9000', false],
  ['http://172.16.0.1', false],
  ['http://192.168.1.2', false],
  ['http://100.64.0.1', false],
  ['http://169.254.1.1', false],
  ['http://[::1]:9000', false],
  ['http://[fd00::1]:9000', false],
  ['http://[fe80::1]:9000', false],
  ['no url', false],
])('an endpoint at %s is one that clients reach: %s', (endpoint, reachable) => {
  expect(isReachable(endpoint)).toBe(reachable)
})
