import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  describeSettings,
  readClientSettings,
  readCompanionSettings,
  readSettings,
} from '../../src/env.ts'

describe('settings', () => {
  test('have defaults that start a service on a laptop', () => {
    const { settings } = readSettings({})
    expect(settings).toMatchObject({
      listen: { host: '127.0.0.1', port: 8080 },
      uploadTtl: 900_000,
      maxImageSize: 1024 ** 4,
      storageLimit: null,
      auth: null,
    })
  })

  test('are read from their variables; an empty one counts as not given', () => {
    const { settings } = readSettings({
      SLIPWAY_LISTEN: '[::1]:0',
      SLIPWAY_UPLOAD_TTL: '2s',
      SLIPWAY_MAX_IMAGE_SIZE: '20Gi',
      SLIPWAY_PUBLIC_URL: 'https://images.example.com/',
      SLIPWAY_SOURCE_ALLOW: '127.0.0.0/8, ::1,mirror.example.com,*.local',
      SLIPWAY_INSECURE_REGISTRIES: 'Registry.example.com, 10.0.0.1:5000,[::1]:5000',
      SLIPWAY_LOG_FORMAT: '',
    })
    expect(settings).toMatchObject({
      listen: { host: '::1', port: 0 },
      uploadTtl: 2000,
      maxImageSize: 20 * 1024 ** 3,
      publicUrl: 'https://images.example.com',
      sourceAllow: ['127.0.0.0/8', '::1', 'mirror.example.com', '*.local'],
      insecureRegistries: ['registry.example.com', '10.0.0.1:5000', '[::1]:5000'],
      logFormat: null,
    })
  })

  test('that are wrong are told all together, each with variable, value and what is allowed', () => {
    const { problems } = readSettings({
      SLIPWAY_LISTEN: '0.0.0.0:8080',
      SLIPWAY_UPLOAD_TTL: 'soon',
      SLIPWAY_IMPORT_CONCURRENCY: '0',
    })
    expect(problems).toHaveLength(3)
    expect(problems?.join('\n')).toContain(
      'SLIPWAY_UPLOAD_TTL is "soon"; allowed: a duration up to 24d, such as 30s, 15m or 24h',
    )
    expect(problems?.join('\n')).toContain(
      'SLIPWAY_IMPORT_CONCURRENCY is "0"; allowed: a whole number from 1 to 1000',
    )
    expect(problems?.join('\n')).toContain('SLIPWAY_LISTEN is "0.0.0.0:8080", but no credentials')
  })

  test.each([
    ['SLIPWAY_LISTEN', 'localhost'],
    ['SLIPWAY_LISTEN', '127.0.0.1:70000'],
    ['SLIPWAY_LISTEN', 'example.com:80'],
    ['SLIPWAY_PUBLIC_URL', 'https://user:pw@example.com'],
    ['SLIPWAY_PUBLIC_URL', 'example.com'],
    ['SLIPWAY_REGISTRY_HOST', 'https://example.com'],
    ['SLIPWAY_SOURCE_DENY', '10/8'],
    ['SLIPWAY_SOURCE_DENY', '10.0.0.0/33'],
    ['SLIPWAY_SOURCE_DENY', '10.0.0.*'],
    ['SLIPWAY_INSECURE_REGISTRIES', 'http://registry.example.com'],
    ['SLIPWAY_INSECURE_REGISTRIES', 'registry.example.com/team'],
    ['SLIPWAY_INSECURE_REGISTRIES', 'registry.example.com,'],
    ['SLIPWAY_STORAGE', 'tape'],
    ['SLIPWAY_AUTH', 'no'],
    ['SLIPWAY_ANONYMOUS_PULL', 'yes'],
    ['SLIPWAY_TRUSTED_PROXIES', '10.0.0.0/33'],
    ['SLIPWAY_TRUSTED_PROXIES', 'proxy.example.com'],
    ['SLIPWAY_LOG_LEVEL', 'loud'],
    ['SLIPWAY_STORAGE_LIMIT', '1G'],
    ['SLIPWAY_S3_BUCKET', 'Images'],
    ['SLIPWAY_S3_ENDPOINT', 's3.example.com'],
    ['SLIPWAY_S3_PREFIX', '/images'],
    ['SLIPWAY_S3_PREFIX', '../images'],
    ['SLIPWAY_S3_PREFIX', 'images/..'],
    ['SLIPWAY_S3_REDIRECT', 'yes'],
    ['SLIPWAY_S3_BUFFER', '1G'],
    ['SLIPWAY_SCRUB_SCHEDULE', 'monthly'],
    ['SLIPWAY_SCRUB_RATE', '100'],
  ])('%s does not take %j', (variable, value) => {
    expect(readSettings({ [variable]: value }).problems?.join()).toContain(
      `${variable} is "${value}"`,
    )
  })

  test.each([
    ['', 7 * 86_400_000],
    ['daily', 86_400_000],
    ['12h', 12 * 3_600_000],
    ['never', null],
  ])('a scrub comes %j', (text, every) => {
    expect(readSettings({ SLIPWAY_SCRUB_SCHEDULE: text }).settings?.scrubSchedule).toBe(every)
  })

  test('an open listener is meant when that is said', () => {
    const { settings } = readSettings({ SLIPWAY_LISTEN: '0.0.0.0:80', SLIPWAY_AUTH: 'none' })
    expect(settings?.listen).toEqual({ host: '0.0.0.0', port: 80 })
  })

  test('an open listener may leave it to the cluster who comes, beside files', () => {
    const open = { SLIPWAY_LISTEN: '0.0.0.0:80', SLIPWAY_AUTH: 'kubernetes' }
    expect(readSettings(open).settings?.auth).toBe('kubernetes')
    const files = { SLIPWAY_TOKENS_FILE: '/t', SLIPWAY_ACCESS_FILE: '/a' }
    expect(readSettings({ ...open, ...files }).problems).toBeNull()
  })

  test('an open listener takes credentials, or the word that none are meant', () => {
    const { settings } = readSettings({
      SLIPWAY_LISTEN: '0.0.0.0:80',
      SLIPWAY_TOKENS_FILE: '/etc/slipway/tokens',
      SLIPWAY_ACCESS_FILE: '/etc/slipway/access.json',
      SLIPWAY_ANONYMOUS_PULL: 'true',
      SLIPWAY_TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8::1',
    })
    expect(settings).toMatchObject({
      tokensFile: '/etc/slipway/tokens',
      htpasswdFile: null,
      anonymousPull: true,
      trustedProxies: ['10.0.0.0/8', '2001:db8::1/128'],
    })
    const htpasswd = { SLIPWAY_LISTEN: '[::]:80', SLIPWAY_HTPASSWD_FILE: 'htpasswd' }
    expect(readSettings(htpasswd).settings?.htpasswdFile).toMatch(/^\/.*\/htpasswd$/)
  })

  test.each([
    [{ SLIPWAY_TLS_CERT: '/c' }, 'SLIPWAY_TLS_CERT is "/c", but SLIPWAY_TLS_KEY is not set'],
    [{ SLIPWAY_TLS_KEY: '/k' }, 'SLIPWAY_TLS_KEY is "/k", but SLIPWAY_TLS_CERT is not set'],
    [
      { SLIPWAY_AUTH: 'none', SLIPWAY_TOKENS_FILE: '/t' },
      'SLIPWAY_TOKENS_FILE is "/t", but SLIPWAY_AUTH is "none"',
    ],
    [
      { SLIPWAY_AUTH: 'none', SLIPWAY_ACCESS_FILE: '/a' },
      'SLIPWAY_ACCESS_FILE is "/a", but SLIPWAY_AUTH is "none"',
    ],
    [
      { SLIPWAY_TOKEN: 'secret', SLIPWAY_TOKEN_FILE: '/t' },
      'SLIPWAY_TOKEN_FILE is "/t", but SLIPWAY_TOKEN is set',
    ],
    [{ SLIPWAY_ACCESS_FILE: '/a' }, 'SLIPWAY_ACCESS_FILE is "/a", but no credentials'],
    [{ SLIPWAY_STORAGE: 's3' }, 'SLIPWAY_STORAGE is "s3", but SLIPWAY_S3_BUCKET is not set'],
    [
      { SLIPWAY_S3_BUCKET: 'images' },
      'SLIPWAY_S3_BUCKET is "images", but SLIPWAY_STORAGE is not s3',
    ],
    [
      { SLIPWAY_STORAGE: 's3', SLIPWAY_S3_BUCKET: 'images', SLIPWAY_MAX_IMAGE_SIZE: '4Ti' },
      'SLIPWAY_S3_BUFFER is "256Mi", but two parts of SLIPWAY_MAX_IMAGE_SIZE take 840Mi',
    ],
    [
      { SLIPWAY_LISTEN: '0.0.0.0:1', SLIPWAY_ANONYMOUS_PULL: 'true' },
      'SLIPWAY_LISTEN is "0.0.0.0:1", but no credentials',
    ],
  ])('%j contradict each other', (environment, told) => {
    const { problems } = readSettings(environment)
    expect(problems).toHaveLength(1)
    expect(problems?.[0]).toContain(told)
  })

  test('for proxies have the names that other programs know, of which the lower case comes first', () => {
    const both = { HTTP_PROXY: 'http://upper:1', http_proxy: 'lower:2', HTTPS_PROXY: 'https://tls' }
    const { settings } = readSettings({ ...both, no_proxy: '.svc, 10.0.0.0/8 ::1,' })
    expect(settings).toMatchObject({
      httpProxy: 'http://lower:2/',
      httpsProxy: 'https://tls/',
      noProxy: ['.svc', '10.0.0.0/8', '::1'],
    })
  })

  test.each(['http://user:se@cret@', 'user:se@cret@', 'socks5://user:se@cret@'])(
    'for proxies are shown without what %s holds',
    (start) => {
      const given = { HTTPS_PROXY: `${start}proxy.example:3128/no` }
      const shown = describeSettings(given).find(({ variable }) => variable === 'HTTPS_PROXY')
      const { problems } = readSettings(given)
      expect(shown?.value).toMatch(/^(?:http:\/\/|socks5:\/\/)?proxy\.example:3128\/no$/)
      expect(problems).toHaveLength(1)
      expect(problems?.join()).toMatch(
        /^HTTPS_PROXY is ".*proxy\.example:3128\/no"; allowed: an http/,
      )
      expect(problems?.join()).not.toMatch(/user:|cret/)
    },
  )

  test('that only the service uses do not hinder the companion', () => {
    const exposed = { SLIPWAY_LISTEN: '0.0.0.0:8080', SLIPWAY_UPLOAD_TTL: 'soon' }
    expect(readCompanionSettings(exposed).settings).toMatchObject({
      workers: 4,
      controllerListen: { host: '127.0.0.1', port: 8081 },
      kubeconfig: null,
      leaderNamespace: null,
    })
    const { settings } = readCompanionSettings({ KUBECONFIG: '/a:/b', SLIPWAY_WORKERS: '64' })
    expect(settings).toMatchObject({ kubeconfig: ['/a', '/b'], workers: 64 })
  })

  test('that commands which ask a service do not use do not hinder them', () => {
    const others = { SLIPWAY_LISTEN: '0.0.0.0:8080', SLIPWAY_WORKERS: 'many' }
    expect(readClientSettings({ ...others, SLIPWAY_URL: 'http://there/' }).settings).toEqual({
      url: 'http://there',
      token: null,
      tokenFile: null,
      caFile: null,
    })
    expect(readClientSettings({ SLIPWAY_URL: 'there' }).problems).toHaveLength(1)
  })

  test('of the companion: a token and a file with one are too much', () => {
    const both = { SLIPWAY_TOKEN: 'secret', SLIPWAY_TOKEN_FILE: '/token' }
    expect(readClientSettings(both).problems).toEqual(readCompanionSettings(both).problems)
    expect(readCompanionSettings(both).problems).toEqual([
      'SLIPWAY_TOKEN_FILE is "/token", but SLIPWAY_TOKEN is set, too; set only one of them',
    ])
    expect(readCompanionSettings({ ...both, SLIPWAY_TOKEN: '' }).problems).toBeNull()
  })

  test.each([
    ['SLIPWAY_WORKERS', '0'],
    ['SLIPWAY_WORKERS', '65'],
    ['SLIPWAY_LEADER_NAMESPACE', 'Not_A_Namespace'],
    ['SLIPWAY_CONTROLLER_LISTEN', '8081'],
    ['SLIPWAY_WEBHOOK_LISTEN', '9443'],
    ['KUBECONFIG', ':'],
  ])('of the companion: %s cannot be "%s"', (variable, text) => {
    const { problems } = readCompanionSettings({ [variable]: text })
    expect(problems?.join('\n')).toContain(`${variable} is "${text}"; allowed: `)
  })

  test('stand in the README, each with its default and its meaning', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const rows = new Map(
      [
        ...readme.matchAll(
          /^\| `(SLIPWAY_[A-Z_0-9]+|[A-Z]+_PROXY|SSL_CERT_FILE|KUBECONFIG|OTEL_[A-Z_]+)` \| (.*?) \| (.*) \|$/gm,
        ),
      ].map(([, variable, fallback, meaning]) => [variable, { fallback, meaning }]),
    )
    const wanted = describeSettings({}).map(({ variable, fallback, meaning }) => {
      // The number of cores differs between machines, so the README says it in words.
      const shown = variable === 'SLIPWAY_IMPORT_CONCURRENCY' ? '2 × cores' : fallback
      return [
        variable,
        {
          fallback: shown === null ? 'none' : shown === '2 × cores' ? shown : `\`${shown}\``,
          meaning,
        },
      ] as const
    })
    expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(wanted))
  })
})
