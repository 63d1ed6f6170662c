import { digestOf, type Digest } from '../../../src/image/digest.ts'
import { manifestTypes } from '../../../src/image/media-type.ts'
import type { Random } from '../random.ts'
import { broken, noObjects, odd } from './bad-json.ts'
import { mutated, values } from './values.ts'

/** What the specification says of a manifest: it has to be taken, or refused, or leaves it to the registry. */
export type Verdict = 'taken' | 'refused' | 'either'

export type Candidate = {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly mediaType: string
  /** As it stands in the path, with a query perhaps. */
  readonly reference: string
  /** Those that are set when it is taken. */
  readonly tags: readonly string[]
  /** What it is when it is taken. */
  readonly digest: Digest
  readonly must: Verdict
  /** What was done to it, for whoever looks at a failure. */
  readonly what: readonly string[]
}

/** What lies in the repository already. `size` is bytes. */
export type Ground = {
  readonly config: Part
  readonly layers: readonly [Part, Part]
  readonly child: Part
}
export type Part = { readonly digest: Digest; readonly size: number }

type Fields = { [name: string]: unknown }
type Draft = {
  readonly kind: 'image' | 'index'
  readonly type: string
  /** The document. */
  readonly fields: Fields
  readonly ground: Ground
}
type Change = {
  readonly what: string
  readonly must: Verdict
  readonly to: (draft: Draft, random: Random) => void
}

const change = (must: Verdict) => (what: string, to: Change['to']) => ({ what, must, to })
const taken = change('taken')
const refused = change('refused')
const either = change('either')

const absent = digestOf(Buffer.from('nobody has pushed this'))
const badDigests: readonly [unknown, ...unknown[]] = [
  absent.toUpperCase(),
  absent.slice(0, -1),
  `${absent}0`,
  `md5:${'0'.repeat(32)}`,
  `sha384:${'0'.repeat(96)}`,
  `sha512:${absent.slice(7)}`,
  'sha256:',
  absent.slice(7),
  `sha256:../../../${'0'.repeat(55)}`,
  ` ${absent}`,
  `${absent}\n`,
  ...values,
]
const badSizes: readonly [unknown, ...unknown[]] = [
  -1,
  0.5,
  2 ** 53,
  2 ** 63,
  1e308,
  '1',
  null,
  true,
  [1],
  {},
]
const badTypes: readonly [unknown, ...unknown[]] = [
  '',
  'x',
  '/',
  'a/',
  '/b',
  'a/b/c',
  ' a/b',
  'a b/c',
  `a/${'b'.repeat(300)}`,
  'ä/b',
  1,
  null,
  [],
]

const parts = ({ kind }: Draft) => (kind === 'image' ? 'layers' : 'manifests')
const partType = ({ kind }: Draft) =>
  kind === 'image' ? 'application/vnd.oci.image.layer.v1.tar' : manifestTypes.image[0]
const partOf = ({ kind, ground }: Draft): Part =>
  kind === 'image' ? ground.layers[0] : ground.child

/** Puts one more part into it. */
function add(draft: Draft, more: object): void {
  const list = draft.fields[parts(draft)]
  const part = { mediaType: partType(draft), ...partOf(draft), ...more }
  draft.fields[parts(draft)] = Array.isArray(list) ? [...list, part] : [part]
}

function set(name: string, value: unknown): Change['to'] {
  return ({ fields }) => {
    fields[name] = value
  }
}

const changes: readonly [Change, ...Change[]] = [
  refused('no schemaVersion', ({ fields }) => delete fields['schemaVersion']),
  refused('another schemaVersion', ({ fields }, random) => {
    fields['schemaVersion'] = random.pick([1, 3, '2', null, [2], 2.5, true])
  }),
  taken('no mediaType', ({ fields }) => delete fields['mediaType']),
  refused('another mediaType', ({ fields }, random) => {
    fields['mediaType'] = random.pick([
      'text/plain',
      '',
      7,
      null,
      manifestTypes.image[0].toUpperCase(),
    ])
  }),
  refused('no parts', (draft) => delete draft.fields[parts(draft)]),
  refused('parts that are no list', (draft, random) => {
    draft.fields[parts(draft)] = random.pick([null, {}, 'x', 0, { length: 3 }])
  }),
  refused('a part that is none', (draft, random) => {
    draft.fields[parts(draft)] = [random.pick([null, 'x', 1, []])]
  }),
  taken('many parts', (draft) => {
    const part = { mediaType: partType(draft), ...partOf(draft) }
    draft.fields[parts(draft)] = Array.from({ length: 200 }, () => part)
  }),
  refused('too many parts', (draft) => {
    draft.fields[parts(draft)] = Array.from({ length: 10_001 }, () => 0)
  }),
  refused('no configuration, or one more', (draft) => {
    if (draft.kind === 'image') delete draft.fields['config']
    else draft.fields['config'] = { ...draft.ground.config, mediaType: 'a/b' }
  }),
  refused('an image that is an index, too', (draft) => {
    draft.fields[draft.kind === 'image' ? 'manifests' : 'layers'] = []
  }),
  refused('a part with a bad digest', (draft, random) =>
    add(draft, { digest: random.pick(badDigests) }),
  ),
  refused('a part that is not here', (draft) => add(draft, { digest: absent })),
  refused('a part of a bad size', (draft, random) => add(draft, { size: random.pick(badSizes) })),
  refused('a part of another size', (draft, random) =>
    add(draft, { size: partOf(draft).size + random.pick([-1, 1, 2 ** 40]) }),
  ),
  refused('a part of a bad type', (draft, random) =>
    add(draft, { mediaType: random.pick(badTypes) }),
  ),
  taken('a part that lies elsewhere', (draft) =>
    add(draft, { digest: absent, urls: ['https://elsewhere.example/x'] }),
  ),
  refused('a part with odd URLs', (draft, random) =>
    add(draft, { urls: random.pick([[1], 'x', {}, null, [null]]) }),
  ),
  refused('a part with the data of another', (draft, random) =>
    add(draft, { data: random.pick(['AAAA', '%%', 1, {}, Buffer.from('{}').toString('base64')]) }),
  ),
  taken('a part of a type that nobody knows', (draft) =>
    draft.kind === 'image' ? add(draft, { mediaType: 'application/x.nobody+knows' }) : undefined,
  ),
  refused('bad annotations of a part', (draft, random) =>
    add(draft, { annotations: random.pick([null, [1], 'x', { a: 1 }, { a: null }, { a: {} }]) }),
  ),
  taken('odd annotations', ({ fields }, random) => {
    const odds = ['', '\0', '\u202e', '😀', '"', '</script>', '\ud800', 'x'.repeat(5000)] as const
    fields['annotations'] = {
      [random.pick(odds)]: random.pick(odds),
      ...Object.fromEntries([
        ['__proto__', 'x'],
        ['constructor', random.pick(odds)],
      ]),
    }
  }),
  refused('bad annotations', ({ fields }, random) => {
    fields['annotations'] = random.pick([null, [1], 'x', { a: 1 }, { a: null }, { a: {} }, 7])
  }),
  taken('a subject', (draft, random) => {
    const size = random.pick([0, 1, 2 ** 40])
    const of = random.pick([draft.ground.child, { digest: absent, size }])
    draft.fields['subject'] = { mediaType: manifestTypes.image[0], ...of }
  }),
  refused('a bad subject', (draft, random) => {
    const good = { mediaType: 'a/b', ...draft.ground.child }
    draft.fields['subject'] = random.pick([
      null,
      [],
      'x',
      {},
      { ...good, digest: random.pick(badDigests) },
      { ...good, size: random.pick(badSizes) },
      { ...good, mediaType: random.pick(badTypes) },
    ])
  }),
  taken('an artifactType', set('artifactType', 'application/x.artifact+json')),
  refused('a bad artifactType', ({ fields }, random) => {
    fields['artifactType'] = random.pick(['x', 'a/', 42, null, [], `a/${'b'.repeat(300)}`])
  }),
  taken('fields that nobody knows', ({ fields }, random) => {
    fields['x-more'] = random.pick(values)
  }),
  refused('a field in another case', ({ fields }, random) => {
    fields[random.pick(['Layers', 'MANIFESTS', 'Config', 'mediatype', 'Subject'])] = []
  }),
  either('something else somewhere', ({ fields }, random) => {
    const other = mutated(fields, random)
    if (typeof other === 'object' && other !== null) Object.assign(emptied(fields), other)
  }),
]

const wrong: readonly [Change, ...Change[]] = [
  changes[0],
  ...changes.filter(({ must }) => must === 'refused'),
]

function emptied(fields: Fields): Fields {
  for (const name of Object.keys(fields)) delete fields[name]
  return fields
}

/** The next manifest. `index` makes it another one than all before it. */
export function manifestAt(index: number, ground: Ground, random: Random): Candidate {
  const draft = draftOf(index, ground, random)
  const made = changesFor(random)
  for (const { to } of made) to(draft, random)
  const what = [draft.type, ...made.map((each) => each.what)]
  const texted = textOf(draft, random)
  const typed = typeFor(draft, random)
  const named = referenceFor(index, texted.bytes, random)
  const must = together(ofDocument(made), [texted, typed, named])
  return {
    bytes: texted.bytes,
    mediaType: typed.mediaType,
    ...named,
    must,
    what: [...what, texted.what, typed.what, named.what].filter((each) => each !== ''),
  }
}

/** Most are to be refused, which costs the disk nothing. */
function changesFor(random: Random): readonly Change[] {
  if (random.below(3) > 0) return [random.pick(wrong)]
  return Array.from({ length: random.pick([0, 0, 1, 1, 2, 3]) }, () => random.pick(changes))
}

/** A change may take back what one before it did, so several leave it open. */
function ofDocument(made: readonly Change[]): Verdict {
  const [first, ...others] = made
  if (others.length === 0) return first?.must ?? 'taken'
  return made.every(({ must }) => must === 'taken') ? 'taken' : 'either'
}

function together(document: Verdict, others: readonly { readonly must: Verdict }[]): Verdict {
  const musts = new Set([document, ...others.map(({ must }) => must)])
  if (musts.has('either')) return 'either'
  return musts.has('refused') ? 'refused' : 'taken'
}

function draftOf(index: number, ground: Ground, random: Random): Draft {
  const kind = random.pick(['image', 'image', 'index'] as const)
  const type = random.pick(manifestTypes[kind])
  const own = { schemaVersion: 2, mediaType: type, 'x-number': index }
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', ...ground.config }
  const layers = ground.layers.map((layer) => ({ mediaType: 'application/octet-stream', ...layer }))
  const manifests = [{ mediaType: manifestTypes.image[0], ...ground.child }]
  const fields = kind === 'image' ? { ...own, config, layers } : { ...own, manifests }
  return { kind, type, fields, ground }
}

function textOf({ fields }: Draft, random: Random) {
  const text = JSON.stringify(fields)
  const dice = random.below(20)
  if (dice === 0) {
    const { what, of } = random.pick(broken)
    return { what, must: 'refused', bytes: of(text, random) } as const
  }
  if (dice === 1) {
    const bytes = Buffer.from(noObjects[random.below(noObjects.length)] ?? '')
    return { what: 'no object', must: 'refused', bytes } as const
  }
  if (dice < 4) {
    const { what, of } = random.pick(odd)
    return { what, must: 'either', bytes: of(text, random) } as const
  }
  if (dice === 4 && random.below(20) === 0) {
    const size = random.pick([4, 5, 9]) * 1_048_576
    const must = size > 8 * 1_048_576 ? 'refused' : 'taken'
    return { what: 'a large one', must, bytes: Buffer.from(text.padEnd(size)) } as const
  }
  return { what: '', must: 'taken', bytes: Buffer.from(text) } as const
}

function typeFor({ type, kind }: Draft, random: Random) {
  const dice = random.below(25)
  if (dice === 0) {
    const mediaType = random.pick([
      `${type}; charset=utf-8`,
      type.toUpperCase(),
      `${type} ; a="b;c"`,
    ])
    return { what: 'its type with more', must: 'taken', mediaType } as const
  }
  if (dice === 1) {
    const mediaType = random.pick([
      'text/plain',
      '',
      'application/json',
      `x${type}`,
      `${type},${type}`,
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
      manifestTypes[kind === 'image' ? 'index' : 'image'][0],
    ])
    return { what: `as ${mediaType}`, must: 'refused', mediaType } as const
  }
  return { what: '', must: 'taken', mediaType: type } as const
}

const badReferences: readonly [string, ...string[]] = [
  '.x',
  '-x',
  'x'.repeat(129),
  '%C3%A4',
  '%00',
  'a%20b',
  '..%2f..%2fx',
  '%2e%2e',
  'sha256:0',
  'sha256%3Aabc',
  absent,
  absent.toUpperCase(),
  `${absent}x`,
  `md5:${'0'.repeat(32)}`,
]

function referenceFor(index: number, bytes: Uint8Array, random: Random) {
  const digest = digestOf(bytes)
  const dice = random.below(20)
  if (dice === 0) {
    const reference = random.pick(badReferences)
    return { what: `at ${reference}`, must: 'refused', reference, tags: [], digest } as const
  }
  if (dice < 6) {
    return { what: '', must: 'taken', reference: digest, tags: [], digest } as const
  }
  if (dice < 8) {
    const other = digestOf(bytes, 'sha512')
    return { what: 'sha512', must: 'taken', reference: other, tags: [], digest: other } as const
  }
  if (dice < 11) return withTags(index, digest, random)
  const tag = `t${index}`
  return { what: '', must: 'taken', reference: tag, tags: [tag], digest } as const
}

/** Each is a file of its own, so many of them are rare. */
const tagCounts = [1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4, 5, 6, 7, 8, 9, 100, 101] as const

function withTags(index: number, digest: Digest, random: Random) {
  const tags = Array.from({ length: random.pick(tagCounts) }, (_, at) => `q${index}.${at}`)
  const isBad = random.below(5) === 0
  const all = isBad ? [...tags, random.pick(['', '.', '%00', 'a/b', 'x'.repeat(129)])] : tags
  const reference = `${digest}?${all.map((tag) => `tag=${tag}`).join('&')}`
  const must = isBad || tags.length > 100 ? 'refused' : 'taken'
  return { what: `${all.length} tags`, must, reference, tags, digest } as const
}
