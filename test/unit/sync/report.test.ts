import { pino } from 'pino'
import { expect, test } from 'vitest'
import { report } from '../../../src/sync/report.ts'
import { ClusterStandIn } from '../../support/cluster-stand-in.ts'

const never = new AbortController().signal
const occurrence = { reason: 'Changed', type: 'Normal', message: 'more', key: '1' } as const

async function nameOfEvent(name: string): Promise<string> {
  const api = new ClusterStandIn()
  const metadata = { name, uid: 'u', resourceVersion: '1' }
  const concerned = { apiVersion: 'v1', kind: 'Thing', metadata }
  const around = { api, log: pino({ level: 'silent' }), now: () => 0 }
  await report(concerned, [occurrence], new Set(), around, never)
  const [event] = api.asked.map(({ body }) => body['metadata'])
  return String(Object(event).name)
}

test.each([
  ['short', 'a.b', /^a\.b\.[0-9a-f]{16}$/],
  ['as long as a name may be', 'a'.repeat(253), /^a{200}\.[0-9a-f]{16}$/],
  ['of parts', `${'a'.repeat(198)}--${'b'.repeat(53)}`, /^a{198}\.[0-9a-f]{16}$/],
])(
  'an event has a name that the API server takes, for a name that is %s',
  async (_, name, told) => {
    expect(await nameOfEvent(name)).toMatch(told)
  },
)
