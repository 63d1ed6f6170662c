import { describe, expect, test } from 'vitest'
import { compileRules } from '../../../src/source/address-rules.ts'
import { forbidden, judge, judgeHost, type Verdict } from '../../../src/source/address.ts'

const rules = (deny: readonly string[] = [], allow: readonly string[] = []) =>
  compileRules({ deny, allow })

/** The rule that refuses, null when nothing does. */
const ruleOf = (verdict: Verdict) => (verdict.answer === 'refused' ? verdict.rule : null)
const hostRule = (url: string, ...policy: Parameters<typeof rules>) =>
  ruleOf(judgeHost(new URL(url).hostname, rules(...policy)))

const messageOf = (verdict: Verdict) =>
  verdict.answer === 'refused' ? forbidden(verdict).message : null

describe('public and private addresses are permitted by default', () => {
  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '9.255.255.255',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.199',
    '126.255.255.255',
    '128.0.0.1',
    '168.63.129.15',
    '169.253.255.255',
    '169.255.0.0',
    '172.16.0.1',
    '192.168.1.1',
    '223.255.255.255',
    '2606:4700:4700::1111',
    'fd00::1',
    'fd00:ec2::253',
    '::ffff:10.0.0.1',
    '64:ff9b::8.8.8.8',
    '64:ff9b:1::10.0.0.1',
    '2002:0808:0808::1',
    '2001:0:4136:e378:8000:63bf:f7f7:f7f7',
  ])('%s', (address) => {
    expect(judge(address, rules())).toEqual({ answer: 'permitted' })
  })
})

describe('addresses that no ALLOW lifts', () => {
  const all = rules([], ['0.0.0.0/0', '::/0', '240.0.0.1', '192.0.2.1/32', '2001:db8::1/128'])
  test.each([
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'unspecified'],
    ['::', 'unspecified'],
    ['224.0.0.1', 'multicast'],
    ['239.255.255.255', 'multicast'],
    ['ff02::1', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['240.0.0.1', 'reserved'],
    ['254.255.255.255', 'reserved'],
    ['192.0.0.192', 'reserved'],
    ['192.88.99.1', 'reserved'],
    ['192.0.2.1', 'documentation'],
    ['198.51.100.7', 'documentation'],
    ['203.0.113.255', 'documentation'],
    ['2001:db8::1', 'documentation'],
    ['3fff:fff::1', 'documentation'],
    ['100::1', 'discard-only'],
    ['4000::1', 'reserved'],
    ['fec0::1', 'reserved'],
    ['::ffff:224.0.0.1', 'multicast'],
    ['64:ff9b::', 'unspecified'],
    ['64:ff9b:1::', 'unspecified'],
    ['2002:e000:1::', 'multicast'],
    ['::203.0.113.1', 'documentation'],
  ])('%s is %s', (address, kind) => {
    expect(ruleOf(judge(address, all))).toMatch(new RegExp(`^${kind} addresses .* always refused$`))
  })
})

describe('addresses that are refused unless ALLOW names them', () => {
  test.each([
    ['127.0.0.1', 'loopback', '127.0.0.1'],
    ['127.255.255.254', 'loopback', '127.0.0.0/8'],
    ['::1', 'loopback', '::1'],
    ['169.254.169.254', 'link-local', '169.254.169.254/32'],
    ['169.254.170.2', 'link-local', '169.254.0.0/16'],
    ['fe80::1', 'link-local', 'fe80::/10'],
    ['fe80::1%eth0', 'link-local', 'fe80::1'],
    ['febf::1', 'link-local', 'fe80::/10'],
    ['fd00:ec2::254', 'cloud metadata', 'fd00:ec2::254'],
    ['fd20:ce::254', 'cloud metadata', 'fd20:ce::254/128'],
    ['168.63.129.16', 'cloud metadata', '168.63.129.16'],
    ['100.100.100.200', 'cloud metadata', '100.100.100.200/32'],
    ['::ffff:127.0.0.1', 'loopback', '127.0.0.0/8'],
    ['::ffff:a9fe:a9fe', 'link-local', '::ffff:169.254.169.254'],
    ['0:0:0:0:0:ffff:7f00:0001', 'loopback', '::ffff:127.0.0.0/104'],
    ['::7f00:1', 'loopback', '127.0.0.1'],
    ['::ffff:0:127.0.0.1', 'loopback', '127.0.0.1'],
    ['64:ff9b::7f00:1', 'loopback', '127.0.0.1'],
    ['64:ff9b::169.254.169.254', 'link-local', '169.254.0.0/16'],
    ['64:ff9b:1::a9fe:a9fe', 'link-local', '169.254.0.0/16'],
    ['64:ff9b:1:abcd::a9fe:a9fe', 'link-local', '169.254.0.0/16'],
    ['64:ff9b:1:7f00:0:100::', 'loopback', '127.0.0.0/8'],
    ['2002:7f00:1::', 'loopback', '127.0.0.1'],
    ['2002:a9fe:a9fe::1', 'link-local', '169.254.0.0/16'],
    ['2001:0:4136:e378:8000:63bf:80ff:fffe', 'loopback', '127.0.0.1'],
    ['2001:0:7f00:1:8000:63bf:f7f7:f7f7', 'loopback', '127.0.0.1'],
  ])('%s is %s, and %s lifts it', (address, kind, lift) => {
    expect(ruleOf(judge(address, rules()))).toMatch(new RegExp(`^${kind} addresses .* by default$`))
    expect(judge(address, rules([], [lift]))).toEqual({ answer: 'permitted' })
  })

  test('a wide ALLOW is shorter than the built-in range and does not lift it', () => {
    expect(ruleOf(judge('127.0.0.1', rules([], ['0.0.0.0/0'])))).toContain('loopback')
    expect(ruleOf(judge('::1', rules([], ['::/0'])))).toContain('loopback')
    expect(ruleOf(judge('64:ff9b::7f00:1', rules([], ['64:ff9b::/96'])))).toContain('loopback')
  })

  test('an ALLOW for a host name lifts no address', () => {
    const verdict = judge('127.0.0.1', rules([], ['*', 'localhost', '127.0.0.*']))
    expect(ruleOf(verdict)).toContain('loopback')
  })
})

describe('what an administrator says', () => {
  test('the longest prefix wins, whichever list holds it', () => {
    const policy = rules(['10.0.0.0/8', '10.1.2.0/24'], ['10.1.0.0/16'])
    expect(ruleOf(judge('10.9.9.9', policy))).toBe('SLIPWAY_SOURCE_DENY holds 10.0.0.0/8')
    expect(ruleOf(judge('10.1.9.9', policy))).toBeNull()
    expect(ruleOf(judge('10.1.2.3', policy))).toBe('SLIPWAY_SOURCE_DENY holds 10.1.2.0/24')
  })

  test('at equal length ALLOW wins', () => {
    expect(ruleOf(judge('10.1.2.3', rules(['10.0.0.0/8'], ['10.0.0.0/8'])))).toBeNull()
    expect(ruleOf(judge('10.1.2.3', rules(['10.1.2.3'], ['10.1.2.3/32'])))).toBeNull()
  })

  test('DENY of everything with an ALLOW list permits that list alone', () => {
    const policy = rules(['0.0.0.0/0', '::/0'], ['10.0.0.0/8', 'fd00::/8'])
    expect(ruleOf(judge('10.1.2.3', policy))).toBeNull()
    expect(ruleOf(judge('fd12::1', policy))).toBeNull()
    expect(ruleOf(judge('8.8.8.8', policy))).toBe('SLIPWAY_SOURCE_DENY holds 0.0.0.0/0')
    expect(ruleOf(judge('2606:4700::1', policy))).toBe('SLIPWAY_SOURCE_DENY holds ::/0')
    expect(ruleOf(judge('::ffff:8.8.8.8', policy))).toBe('SLIPWAY_SOURCE_DENY holds 0.0.0.0/0')
    expect(ruleOf(judge('64:ff9b::10.1.2.3', policy))).toBe('SLIPWAY_SOURCE_DENY holds ::/0')
  })

  test('a host glob in DENY refuses the names it covers, in any case and with a final dot', () => {
    const deny = ['*.example.com']
    expect(hostRule('http://a.example.com/', deny)).toBe('SLIPWAY_SOURCE_DENY holds *.example.com')
    expect(hostRule('http://A.B.Example.COM./', deny)).toContain('*.example.com')
    expect(hostRule('http://example.com/', deny)).toBeNull()
    expect(hostRule('http://a.example.com.evil.net/', deny)).toBeNull()
    expect(hostRule('http://axexample.com/', deny)).toBeNull()
  })

  test('a more exact glob in ALLOW lifts a glob in DENY', () => {
    expect(hostRule('http://mirror.example.com/', ['*'], ['mirror.example.com'])).toBeNull()
    expect(hostRule('http://other.example.com/', ['*'], ['mirror.example.com'])).not.toBeNull()
  })
})

describe('the refusal', () => {
  test('says which address, which rule and how it is lifted', () => {
    expect(messageOf(judge('64:ff9b::a9fe:a9fe', rules()))).toBe(
      'no import may go to 64:ff9b::a9fe:a9fe (169.254.169.254 inside): link-local addresses ' +
        '(169.254.0.0/16) are refused by default; ' +
        'an administrator can permit it with SLIPWAY_SOURCE_ALLOW=169.254.169.254/32',
    )
  })

  test('offers no setting where none helps', () => {
    expect(messageOf(judge('192.0.2.1', rules()))).toBe(
      'no import may go to 192.0.2.1: documentation addresses (192.0.2.0/24) are always refused; ' +
        'give another URL',
    )
  })

  test('covers what is no address at all', () => {
    expect(messageOf(judge('localhost', rules()))).toContain('it is no IP address')
  })
})
