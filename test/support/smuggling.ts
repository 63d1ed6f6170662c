import type { Random } from './random.ts'

/** A request with another one inside of it that nobody may ever do, and what has to come of it. */
export type Attempt = {
  readonly what: string
  /** In latin1. */
  readonly text: string
  /**
   * What is wrong, so that its connection has to end with it: with a bad head it is refused, a bad body may come behind an
   * answer that did not wait for it. Null for what is right, or may be taken for right.
   */
  readonly bad: 'head' | 'body' | null
}

/** A trick is told what is to be smuggled, and makes the whole request out of that. */
type Trick = (inner: string, random: Random) => string
type Row = readonly [what: string, trick: Trick]

const host = 'Host: 127.0.0.1\r\n'
const carriers = [
  `POST /api/v1/images HTTP/1.1\r\n${host}Content-Type: application/json\r\n`,
  `PUT /upload/${'a'.repeat(32)} HTTP/1.1\r\n${host}`,
  `PATCH /upload/${'b'.repeat(32)} HTTP/1.1\r\n${host}Upload-Offset: 0\r\n`,
  `POST /v2/a/blobs/uploads/ HTTP/1.1\r\n${host}`,
  `PATCH /v2/a/blobs/uploads/gone HTTP/1.1\r\n${host}`,
  `PUT /v2/a/manifests/x HTTP/1.1\r\n${host}Content-Type: application/vnd.oci.image.manifest.v1+json\r\n`,
  `GET /healthz HTTP/1.1\r\n${host}`,
  `DELETE /api/v1/images/nobody HTTP/1.1\r\n${host}`,
  `GET /nowhere HTTP/1.1\r\n${host}X-Page: 1\r\n`,
] as const

const hex = (text: string) => text.length.toString(16)
const chunked = (inner: string) => `${hex(inner)}\r\n${inner}\r\n0\r\n\r\n`
const coded = 'Transfer-Encoding: chunked\r\n'

/** Fields before a body that is as long as what is smuggled. */
const sized =
  (fields: (size: string) => string): Trick =>
  (inner, random) =>
    `${random.pick(carriers)}${fields(String(inner.length))}\r\n${inner}`

/** Fields before chunks that hold what is smuggled: who does not see the chunks sees no request in it either. */
const inChunks =
  (fields: string): Trick =>
  (inner, random) =>
    `${random.pick(carriers)}${fields}\r\n${chunked(inner)}`

/** A body that has ended before what is smuggled for one reader, and holds it for the other. */
const ended =
  (fields: (size: string) => string): Trick =>
  (inner, random) =>
    `${random.pick(carriers)}${fields(String(inner.length + 5))}\r\n0\r\n\r\n${inner}`

const chunks =
  (body: (inner: string) => string): Trick =>
  (inner, random) =>
    `${random.pick(carriers)}${coded}\r\n${body(inner)}`

/** The first line, and Host where it is in question, before a whole request. */
const begun =
  (start: string): Trick =>
  (inner) =>
    `${start}Content-Length: ${inner.length}\r\n\r\n${inner}`

const rowsOf = (what: string, trick: (text: string) => Trick, texts: readonly string[]) =>
  texts.map((text): Row => [`${what} ${JSON.stringify(text.slice(0, 40))}`, trick(text)])

/** `N` stands for the true length. */
const lengths = (text: string): Trick =>
  sized((size) => `Content-Length: ${text.replaceAll('N', size)}\r\n`)
const badLengths = rowsOf('Content-Length', lengths, [
  '+N',
  '-N',
  '0xN',
  'N 0',
  '0 N',
  'N,0',
  '0, N',
  'N;',
  '',
  'N.0',
  'Ne0',
  '"N"',
  'N\v',
  '\xa0N',
  '18446744073709551616N',
  '99999999999999999999999999',
  '0\r\nContent-Length: N',
  'N\r\nContent-Length: 0',
  'N\r\ncontent-length: 1',
  'N\r\n Content-Length: 0',
  'N\nContent-Length: 0',
  'N\rContent-Length: 0',
])
const fairLengths = rowsOf('Content-Length', lengths, [
  'N',
  '00N',
  ' \t N\t ',
  'N, N',
  'N\r\nContent-Length: N',
])

const badCodings = [
  'xchunked',
  'chunkedx',
  'identity',
  'identity, chunked',
  'gzip',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, identity',
  'chunked, chunked',
  'chunked;q=1',
  '"chunked"',
  'chunked\0',
  '\vchunked',
  'chun ked',
  '',
  ',',
  '\r\n chunked',
  'chunked\r\nTransfer-Encoding: identity',
  'identity\r\nTransfer-Encoding: chunked',
  'chunked\r\nTransfer-Encoding: chunked',
].map((value) => `Transfer-Encoding: ${value}\r\n`)
const badFields = [
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding\t: chunked\r\n',
  ' Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding\0: chunked\r\n',
  'X: y\nTransfer-Encoding: chunked\r\n',
  'X: y\rTransfer-Encoding: chunked\r\n',
  'X: y\r\n\tTransfer-Encoding: chunked\r\n',
]
const codings = [...badCodings, ...badFields]
const withLength = (field: string): readonly Trick[] => [
  ended((size) => `Content-Length: ${size}\r\n${field}`),
  ended((size) => `${field}Content-Length: ${size}\r\n`),
]

const badSizes = [
  '+N',
  '-N',
  '0xN',
  ' N',
  '\tN',
  'N\n',
  'N_',
  'N.',
  'N,',
  '',
  'g',
  'ffffffffffffffffN',
  '10000000000000000N',
  'N;a\nb',
  'N;\0',
  `N;${'x'.repeat(2 ** 20)}`,
  ';N',
]
const fairSizes = ['N', '000N', 'N;a', 'N;a=b', 'N;a="b;c"', 'N ', 'N ;a']
const ofSize = (size: string): Trick =>
  chunks((inner) => `${size.replaceAll('N', hex(inner))}\r\n${inner}\r\n0\r\n\r\n`)
const zeros = ['x5', '_5', ' 5', '.5', ',5', '\t5', ';\n', '\n', '\r', ';a\nb', '\0']
const ofZero = (junk: string): Trick => chunks((inner) => `0${junk}\r\n\r\n${inner}`)
const badChunks: readonly Row[] = [
  ['no CRLF behind a chunk', chunks((inner) => `${hex(inner)}\r\n${inner}0\r\n\r\n`)],
  ['LF alone around chunks', chunks((inner) => `${hex(inner)}\n${inner}\n0\n\n`)],
  ['CR alone behind a chunk', chunks((inner) => `${hex(inner)}\r\n${inner}\r0\r\n\r\n`)],
  ['more than a chunk', chunks((inner) => `${hex(inner)}\r\n${inner}xx\r\n0\r\n\r\n`)],
]
const inTrailer = (field: string): Trick => chunks((inner) => `0\r\n${field}\r\n\r\n${inner}`)
const badTrailers = rowsOf('a trailer', inTrailer, [
  'nonsense',
  'X : y',
  'X: y\r\n folded',
  ': y',
  'X: y\nZ: w',
  `X: ${'x'.repeat(2 ** 16)}`,
])
const named = (field: string): Trick => chunks((inner) => `${chunked(inner).slice(0, -2)}${field}`)
const fairTrailers = rowsOf('a trailer', named, [
  'Content-Length: 7\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n',
  'Host: evil\r\n\r\n',
  'X: y\r\n\r\n',
])

const field = (line: string): Trick => sized((size) => `Content-Length: ${size}\r\n${line}\r\n`)
const badLines = rowsOf('a field', field, [
  'X: y\r\n folded',
  'X: y\r\n\tContent-Length: 0',
  'X : y',
  'X\0: y',
  'X: y\0',
  'X\x01: y',
  'X(: y',
  ': y',
  'nonsense',
  'X: y\rZ: w',
  'X: y\nZ: w',
  'X: \x07',
  'Host: 127.0.0.1',
  'Host: evil.example',
])
const fairLines = rowsOf('a field', field, [
  'X: \xe9',
  'X:',
  'Content_Length: 0',
  'Transfer_Encoding: chunked',
  'TransferEncoding: chunked',
  'X-Transfer-Encoding: chunked',
  'Connection: Content-Length',
  'Connection: Upgrade\r\nUpgrade: websocket',
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__',
  'Upgrade: h2c',
  'Expect: 100-continue',
  'Expect: 100-continue, 100-continue',
  'Expect: 200-ok',
  'Expect:',
  'TE: trailers, chunked',
  'Trailer: Content-Length',
])

const badStarts = rowsOf('a start', begun, [
  `post /healthz HTTP/1.1\r\n${host}`,
  `GET\t/healthz\tHTTP/1.1\r\n${host}`,
  `GET /heal thz HTTP/1.1\r\n${host}`,
  `GET /heal\0thz HTTP/1.1\r\n${host}`,
  `GET /\xff HTTP/1.1\r\n${host}`,
  `GET healthz HTTP/1.1\r\n${host}`,
  `GET /healthz HTTP/1.10\r\n${host}`,
  `GET /healthz HTTP/2.0\r\n${host}`,
  `GET /healthz HTTP/3.0\r\n${host}`,
  `GET /healthz http/1.1\r\n${host}`,
  `GET /healthz HTTP/1.1 x\r\n${host}`,
  `GET /healthz HTP/1.1\r\n${host}`,
  `GET /healthz HTTP/1.1\r\n ${host}`,
  'GET /healthz HTTP/1.1\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
])
const fairStarts = rowsOf('a start', begun, [
  `\r\n\r\nGET /healthz HTTP/1.1\r\n${host}`,
  `GET  /healthz HTTP/1.1\r\n${host}`,
  `GET /healthz HTTP/1.0\r\n${host}`,
  `GET /healthz HTTP/1.2\r\n${host}`,
  `GET http://evil.example/healthz HTTP/1.1\r\n${host}`,
  `GET http://[evil/healthz HTTP/1.1\r\n${host}`,
  `GET ftp://evil.example/ HTTP/1.1\r\n${host}`,
  `GET //evil.example/healthz HTTP/1.1\r\n${host}`,
  `CONNECT evil.example:443 HTTP/1.1\r\n${host}`,
  `OPTIONS * HTTP/1.1\r\n${host}`,
  `GET * HTTP/1.1\r\n${host}`,
  'GET /healthz HTTP/1.1\r\nHost: a b\r\n',
  'GET /healthz HTTP/1.1\r\nHost: a/b@c\r\n',
  'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1, evil\r\n',
  'GET /healthz HTTP/1.1\r\nHost:\r\n',
  `TRACE /healthz HTTP/1.1\r\n${host}`,
])
const oldFraming: Trick = (inner) =>
  `POST /api/v1/images HTTP/1.0\r\n${host}Connection: keep-alive\r\n${coded}\r\n0\r\n\r\n${inner}`

const badHeads: readonly Row[] = [
  ...badLengths,
  ...rowsOf('a coding', inChunks, codings),
  ...[coded, ...codings].flatMap((coding) =>
    withLength(coding).map((trick): Row => [`a length, and ${JSON.stringify(coding)}`, trick]),
  ),
  ...badLines,
  ...badStarts,
  ['chunks in HTTP/1.0', oldFraming],
]
const badBodies: readonly Row[] = [
  ...rowsOf('a chunk of', ofSize, badSizes),
  ...rowsOf('a last chunk and', ofZero, zeros),
  ...badChunks,
  ...badTrailers,
]
const fair: readonly Row[] = [
  ...fairLengths,
  ...rowsOf('a coding', inChunks, [
    'Transfer-Encoding: Chunked\r\n',
    'transfer-encoding:\tCHUNKED\t\r\n',
  ]),
  ...rowsOf('a chunk of', ofSize, fairSizes),
  ...fairTrailers,
  ...fairLines,
  ...fairStarts,
]

const kinds = [
  ['head', badHeads],
  ['body', badBodies],
  [null, fair],
] as const
const all = kinds.flatMap(([bad, rows]) => rows.map(([what, trick]) => ({ what, trick, bad })))

/** How many there are to go through with `attemptAt`. */
export const attempts = all.length

/** The last request of its connection, behind what may be taken for what it is. */
const last = `GET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`

/**
 * @param index from 0 to below `attempts`
 * @param inner requests that nobody may do
 */
export function attemptAt(index: number, inner: string, random: Random): Attempt {
  const row = all[index]
  if (!row) throw new RangeError(`there are ${attempts} attempts`)
  const { what, bad, trick } = row
  return { what, bad, text: trick(inner, random) + (bad === null ? last : inner) }
}
