import { describe, expect, test } from 'vitest'
import type { ManifestNote } from '../../../../src/catalog/notepad.ts'
import { wants } from '../../../../src/work/notify/subscriber.ts'
import { parseSubscribers } from '../../../../src/work/notify/subscribers-file.ts'
import { secret } from '../../../support/subscribers.ts'

const origin = { variable: 'SLIPWAY_SUBSCRIBERS_FILE', path: '/etc/slipway/subscribers.yaml' }
const parse = (text: string) => parseSubscribers(text, origin)
const one = (more: object) =>
  JSON.stringify({
    subscribers: [{ name: 'ci', url: 'https://ci.example.com/', form: 'cloudevents', ...more }],
  })

const noted = (type: ManifestNote['type'], subject: string): ManifestNote => ({
  type,
  subject,
  digest: null,
  tag: null,
  mediaType: null,
  size: null,
  by: null,
})

describe('the file of subscribers', () => {
  test('is YAML or JSON, and names its files from where it lies', () => {
    const [subscriber] = parse(`
subscribers:
  - name: ci
    url: https://ci.example.com/hook?key=1
    form: cloudevents
    events: [image.*]
    secretFile: ci.secret
    caFile: /etc/ca.pem
    timeout: 5s
`)
    expect(subscriber).toMatchObject({
      url: new URL('https://ci.example.com/hook?key=1'),
      secrets: [],
      secretFile: '/etc/slipway/ci.secret',
      caFile: '/etc/ca.pem',
      headersFile: null,
      timeout: 5000,
    })
    expect(parse(one({ secret }))).toMatchObject([
      { secrets: [Buffer.alloc(32, 7)], images: ['**'], timeout: 10_000 },
    ])
    expect(parse('{"subscribers": []}')).toEqual([])
  })

  test.each([
    [one({ url: 'ftp://example.com' }), 'subscribers.0.url: must be'],
    [one({ url: 'https://user:word@example.com' }), 'subscribers.0.url: must be'],
    [one({ form: 'slack' }), 'subscribers.0.form: '],
    [one({ name: 'C I' }), 'subscribers.0.name: must be'],
    [one({ secret: 'whsec_c2hvcnQ=' }), 'subscribers.0.secret: must be whsec_ and 24 to 64 bytes'],
    [one({ secret, secretFile: 'a' }), 'subscribers.0.secretFile: stands beside secret'],
    [one({ events: ['image.pulled'] }), 'subscribers.0.events.0: is none of what the form'],
    [
      one({ form: 'distribution', events: ['image.*'] }),
      'tells: manifest.pushed, manifest.deleted',
    ],
    [one({ images: ['a/b'] }), 'subscribers.0.images.0: is no such name'],
    [one({ repositories: ['a//b'] }), 'subscribers.0.repositories.0: is no such name'],
    [one({ timeout: '2m' }), 'subscribers.0.timeout: must be a duration up to 60s'],
    [one({ urls: [] }), 'Unrecognized key'],
    ['[]', 'it looks like {"subscribers": ['],
    [
      JSON.stringify({
        subscribers: [1, 2].map(() => ({ name: 'a', url: 'http://a/', form: 'cloudevents' })),
      }),
      'subscribers.1.name: is the name of one before',
    ],
  ])('that is %s is refused, and it is said where', (text, told) => {
    expect(() => parse(text)).toThrow('SLIPWAY_SUBSCRIBERS_FILE is "/etc/slipway/subscribers.yaml"')
    expect(() => parse(text)).toThrow(told)
  })

  test('that cannot be read is told by its line, and shows no secret', () => {
    const text = `subscribers:\n  - secret: ${secret}\n name: {`
    expect(() => parse(text)).toThrow(/, line 3: it is neither JSON nor YAML/)
    expect(() => parse(text)).not.toThrow(secret)
    expect(() => parse(one({ secret: `${secret}!` }))).not.toThrow(secret)
  })
})

describe('a subscriber', () => {
  test('hears of what its globs match, each kind by its own', () => {
    const [subscriber] = parse(
      one({ events: ['manifest.pushed', 'image.re*'], repositories: ['team-a/**', 'cvi/*'] }),
    )
    if (!subscriber) throw new Error('there is none')
    const heard = ['team-a/b/c', 'cvi/debian', 'team-b/c'].filter((name) =>
      wants(subscriber, noted('manifest.pushed', name)),
    )
    expect(heard).toEqual(['team-a/b/c', 'cvi/debian'])
    expect(wants(subscriber, noted('manifest.deleted', 'cvi/debian'))).toBe(false)
  })
})
