import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { outcomeSchema, places, type policies, type Outcome } from '../support/inside-namespace.ts'
import { needsNamespace, runInside } from '../support/namespaces.ts'

type Place = keyof typeof places
type Policy = keyof typeof policies

const addresses = Object.values(places)
  .filter((address) => address !== '127.0.0.1')
  .map((address) => (address.includes(':') ? `${address}/128 nodad` : `${address}/32`))

const link = 'link-local addresses (169.254.0.0/16) are refused by default'
const loop = 'loopback addresses (127.0.0.0/8) are refused by default'
const cloud = 'cloud metadata addresses (fd00:ec2::254/128) are refused by default'
const paper = 'documentation addresses (192.0.2.0/24) are always refused'
const four = 'SLIPWAY_SOURCE_DENY holds 0.0.0.0/0'
const six = 'SLIPWAY_SOURCE_DENY holds ::/0'

/** What becomes of an import from each place, by policy: Ready, or the rule that refuses it. */
const wanted: { readonly [place in Place]: { readonly [policy in Policy]: string } } = {
  ten: { usual: 'Ready', denied: 'SLIPWAY_SOURCE_DENY holds 10.0.0.0/8', allowed: four },
  oneSevenTwo: { usual: 'Ready', denied: 'Ready', allowed: four },
  oneNineTwo: { usual: 'Ready', denied: 'Ready', allowed: four },
  shared: { usual: 'Ready', denied: 'Ready', allowed: four },
  local6: { usual: 'Ready', denied: 'SLIPWAY_SOURCE_DENY holds fd00::/8', allowed: six },
  metadata: { usual: link, denied: link, allowed: 'Ready' },
  metadata6: { usual: cloud, denied: cloud, allowed: cloud },
  linkLocal: { usual: link, denied: link, allowed: link },
  loopback: { usual: loop, denied: loop, allowed: loop },
  documentation: { usual: paper, denied: paper, allowed: paper },
}

describe.skipIf(!needsNamespace())(
  'where there are private networks and a metadata service',
  () => {
    let outcomes: readonly Outcome[]
    beforeAll(async () => {
      const printed = await runInside(addresses, './inside-namespace.ts')
      outcomes = z.array(outcomeSchema).parse(JSON.parse(printed))
    })

    const rows = Object.entries(wanted).flatMap(([place, ends]) =>
      Object.entries(ends).map(([policy, end]) => ({ place, policy, end })),
    )

    test.each(rows)('$place by the policy $policy: $end', ({ place, policy, end }) => {
      const found = outcomes.filter((one) => one.place === place && one.policy === policy)
      expect(found.length).toBeGreaterThan(0)
      for (const one of found) {
        expect(one.end).toContain(end)
        expect(one.connections).toBe(end === 'Ready' ? 1 : 0)
      }
    })

    test('redirects were tried, too', () => {
      const redirected = outcomes.filter(({ how }) => how === 'by redirect')
      expect(redirected).toHaveLength(3 * (Object.keys(places).length - 1))
    })
  },
)
