/**
 * How a place may be written, and what becomes of it. PORT is where somebody listens on 127.0.0.1 and on ::1. A name stands
 * for what the test's resolver answers.
 */
export type Spelling = {
  readonly url: string
  /** Words of the rule that refuses it; INVALID for what is no URL of a source; else the addresses that are opened. */
  readonly verdict: Refusal | 'INVALID' | readonly string[]
}

type Refusal =
  | 'loopback'
  | 'link-local'
  | 'cloud metadata'
  | 'unspecified'
  | 'multicast'
  | 'broadcast'
  | 'reserved'
  | 'documentation'
  | 'discard-only'
  | 'no IP address'

const all = (verdict: Spelling['verdict'], ...urls: readonly string[]): readonly Spelling[] =>
  urls.map((url) => ({ url, verdict }))

const at = (verdict: Spelling['verdict'], ...hosts: readonly string[]) =>
  all(verdict, ...hosts.map((host) => `http://${host}:PORT/x`))

/** What the resolver of the test says: each look-up takes the next answer, the last one stays. */
export const names: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'loopback.example': [['127.0.0.1']],
  'loopback6.example': [['::1']],
  'mapped.example': [['::ffff:127.0.0.1']],
  'nat64.example': [['64:ff9b::7f00:1']],
  'zone.example': [['fe80::1%lo']],
  'zero.example': [['0.0.0.0']],
  'metadata.example': [['169.254.169.254']],
  'none-permitted.example': [['127.0.0.1', '::1', '169.254.169.254', '0.0.0.0']],
  'garbage.example': [['localhost']],
  'short.example': [['127.1']],
  // The answer changes between two look-ups; only the first is ever asked for.
  'turns-inward.example': [['10.0.0.1'], ['127.0.0.1']],
  'turns-outward.example': [['127.0.0.1'], ['10.0.0.1']],
  // One of several is forbidden: the others may be tried, and nothing else.
  'mixed.example': [['127.0.0.1', '10.0.0.1']],
  'mixed-last.example': [['10.0.0.1', '::1']],
  'mixed-many.example': [['fe80::1', '10.0.0.1', '169.254.169.254', 'fd12::1', '0.0.0.0']],
  'mixed-mapped.example': [['::ffff:127.0.0.1', '::ffff:10.0.0.1']],
  'xn--bcher-kva.example': [['127.0.0.1']],
  localhost: [['127.0.0.1', '::1']],
  'localhost.': [['127.0.0.1']],
  'a.localhost': [['127.0.0.1']],
  '127.0.0.1.nip.example': [['127.0.0.1']],
  '1.2.3.0x1g': [['127.0.0.1']],
}

const numbers = [
  ...at('loopback', '127.0.0.1', '127.1', '127.0.1', '127.255.255.254', '127.000.000.001'),
  ...at('loopback', '2130706433', '127.0.1.', '2130706433.'),
  ...at(
    'loopback',
    '0x7f000001',
    '0x7f.1',
    '0X7F.0x0.0x0.0x1',
    '0x7F000001',
    '127.0x1',
    '127.0.0x1',
  ),
  ...at('loopback', '0x00000000000000007f.1', '0177.0.0.1', '0177.0.0.01', '017700000001'),
  ...at('loopback', '00000177.0.0.1', '0177.0x0.0.1', '127.0.0.1.', '0x7f.1.'),
  ...at('link-local', '169.254.169.254', '2852039166', '0xa9fea9fe', '0xA9.0xFE.0xA9.0xFE'),
  ...at('link-local', '0251.0376.0251.0376', '169.254.43518', '169.16689662', '025177524776'),
  ...at('link-local', '169.254.169.254.', '0xa9.254.0251.254'),
  ...at('cloud metadata', '168.63.129.16', '0xa83f8110', '100.100.100.200'),
  ...at('unspecified', '0', '0.0.0.0', '0x0', '00', '0.0', '0x', '0.1.2.3', '0.'),
  ...at('broadcast', '255.255.255.255', '4294967295', '0xffffffff', '037777777777'),
  ...at('multicast', '224.0.0.1', '239.255.255.250', '0xe0000001'),
  ...at('reserved', '240.0.0.1', '192.0.0.192', '192.88.99.1'),
  ...at('documentation', '192.0.2.1', '198.51.100.1', '203.0.113.1'),
  ...at('INVALID', '256.0.0.1', '127.0.0.1.1', '127.0.0.256', '4294967296', '0x100000000'),
  ...at('INVALID', '127.0.0.08', '127..1', '1.2.3.4.5.6'),
]

const characters = [
  ...at('loopback', '%31%32%37.0.0.1', '127%2e0%2e0%2e1', '%30x7f.1', '127.0.0.%31'),
  ...at(
    'loopback',
    '１２７.0.0.1',
    '①②⑦.0.0.1',
    '𝟏𝟐𝟕.𝟘.𝟶.𝟭',
    '127。0。0。1',
    '127．0．0．1',
    '127｡0｡0｡1',
  ),
  ...at('loopback', '１２７．０．０．１', '0ｘ7ｆ.1', '%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1'),
  ...at('loopback', '127\u00AD.0.0.1', '1\u200B27.0.0.1', '127.\t0.0.1', '127.0.\n0.1'),
  ...at('link-local', '１６９.２５４.１６９.２５４', '169%2E254%2E169%2E254'),
  ...at('unspecified', '０', '%30'),
  ...at('INVALID', '127.0.0.1%00', '127.0.0.1%20', '127.0.0.1%2f', '127.0.0.1 ', '127.0.0.1^'),
]

const sixes = [
  ...at('loopback', '[::1]', '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[0::1]', '[::0.0.0.1]'),
  ...at('loopback', '[::ffff:127.0.0.1]', '[::FFFF:7F00:1]', '[0:0:0:0:0:ffff:7f00:1]'),
  ...at('loopback', '[::127.0.0.1]', '[::7f00:1]', '[::ffff:0:127.0.0.1]', '[0::ffff:0:7f00:1]'),
  ...at('loopback', '[64:ff9b::127.0.0.1]', '[64:FF9B::7F00:1]', '[64:ff9b:1::127.0.0.1]'),
  ...at('loopback', '[64:ff9b:1:7f00:0:100::]', '[2002:7f00:1::]', '[2002:7f00:0001::1]'),
  ...at('loopback', '[2001:0:7f00:1::]', '[2001:0:4136:e378:8000:63bf:80ff:fffe]'),
  ...at('link-local', '[::ffff:169.254.169.254]', '[::ffff:a9fe:a9fe]', '[64:ff9b::a9fe:a9fe]'),
  ...at('link-local', '[64:ff9b:1::a9fe:a9fe]', '[2002:a9fe:a9fe::]', '[::169.254.169.254]'),
  ...at('link-local', '[2001:0:808:808:0:0:5601:5601]', '[fe80::1]', '[FEBF::1]'),
  ...at('cloud metadata', '[fd00:ec2::254]', '[FD00:0EC2:0::0254]', '[::ffff:168.63.129.16]'),
  ...at(
    'unspecified',
    '[::]',
    '[::0.0.0.0]',
    '[::ffff:0.0.0.0]',
    '[0:0:0:0:0:0:0:0]',
    '[64:ff9b::]',
  ),
  ...at('multicast', '[ff02::1]', '[::ffff:224.0.0.1]'),
  ...at('documentation', '[2001:db8::1]', '[3fff::1]'),
  ...at('reserved', '[fec0::1]', '[4000::1]'),
  ...at('discard-only', '[100::1]'),
  ...at('INVALID', '[fe80::1%25lo]', '[fe80::1%lo]', '[::1%25]', '[127.0.0.1]', '[::1', '::1'),
  ...at(
    'INVALID',
    '[::ffff:127.1]',
    '[::ffff:0x7f.0.0.1]',
    '[1::2::3]',
    '[::ffff:127.0.0.01]',
    '[]',
  ),
]

const wholes = [
  ...all('loopback', 'http:127.0.0.1:PORT/', 'http:/127.0.0.1:PORT/', 'http:///127.0.0.1:PORT/'),
  ...all(
    'loopback',
    'http:\\\\127.0.0.1:PORT\\',
    'HTTP://127.0.0.1:PORT/',
    ' http://127.0.0.1:PORT/',
  ),
  ...all('loopback', 'h\nttp://127.0.0.1:PORT/', 'https://127.0.0.1:PORT/', 'https://[::1]:PORT/'),
  ...all('loopback', 'http://user:secret@127.0.0.1:PORT/', 'http://public.example@127.1:PORT/'),
  ...all('loopback', 'http://public.example:80@127.0.0.1:PORT/', 'http://a@b@127.0.0.1:PORT/'),
  ...all('loopback', 'http://public.example%2f@127.0.0.1:PORT/', 'http://:@127.0.0.1:PORT/'),
  ...all(
    'loopback',
    'http://127.0.0.1:PORT#@public.example/',
    'http://127.0.0.1:PORT?@public.example/',
  ),
  ...all('loopback', 'http://127.0.0.1:PORT\\@public.example/', 'http://127.0.0.1:0PORT/'),
  ...all('loopback', 'http://127.0.0.1/', 'http://127.0.0.1:0/', 'http://127.0.0.1:22/'),
  ...all('INVALID', 'ftp://127.0.0.1:PORT/', 'file:///etc/passwd', 'gopher://127.0.0.1:PORT/'),
  ...all(
    'INVALID',
    'data:,x',
    'unix:/run/docker.sock',
    'blob:http://127.0.0.1:PORT/',
    'ws://127.1/',
  ),
  ...all(
    'INVALID',
    'http://',
    'http:',
    '//127.0.0.1:PORT/',
    '127.0.0.1:PORT/',
    'http://127.0.0.1:99999/',
  ),
  ...all('INVALID', 'view-source:http://127.0.0.1:PORT/', 'http://127.0.0.1:PORT@/'),
]

const byName = [
  ...at('loopback', 'loopback.example', 'loopback6.example', 'mapped.example', 'nat64.example'),
  ...at(
    'loopback',
    'LOOPBACK.example',
    'loopback.example.',
    'ｌoopback.example',
    'none-permitted.example',
  ),
  ...at('loopback', 'localhost', 'LocalHost', 'localhost.', 'a.localhost', 'ⓛocalhost'),
  ...at(
    'loopback',
    'turns-outward.example',
    'bücher.example',
    '127.0.0.1.nip.example',
    '1.2.3.0x1g',
  ),
  ...at('link-local', 'zone.example', 'metadata.example'),
  ...at('unspecified', 'zero.example'),
  ...at('no IP address', 'garbage.example'),
  ...at('loopback', 'short.example'),
  ...at(['10.0.0.1'], 'turns-inward.example', 'mixed.example', 'mixed-last.example'),
  ...at(['10.0.0.1', 'fd12::1'], 'mixed-many.example'),
  ...at(['::ffff:10.0.0.1'], 'mixed-mapped.example'),
]

const permitted = [
  ...at(['8.8.8.8'], '8.8.8.8', '134744072', '0x08080808', '010.010.010.010', '８.8.8.8'),
  ...at(['10.0.0.1'], '10.0.0.1', '10.1', '0xa.1', '012.0.0.1', '127.0.0.1@10.0.0.1'),
  ...at(['172.16.0.1'], '172.16.0.1'),
  ...at(['192.168.1.1'], '192.168.1.1', '192.168.257'),
  ...at(['100.64.0.1'], '100.64.0.1'),
  ...at(['::ffff:a00:1'], '[::ffff:10.0.0.1]'),
  ...at(['64:ff9b::a00:1'], '[64:ff9b::10.0.0.1]'),
  ...at(['fd00::1'], '[fd00::1]', '[FD00:0:0::1]'),
  ...at(['2606:4700:4700::1111'], '[2606:4700:4700::1111]'),
  ...all(
    ['10.0.0.1'],
    'http://10.0.0.1:PORT/?url=http://127.0.0.1/',
    'https://127.0.0.1%2f@10.0.0.1/',
  ),
]

export const spellings: readonly Spelling[] = [
  ...numbers,
  ...characters,
  ...sixes,
  ...wholes,
  ...byName,
  ...permitted,
]
