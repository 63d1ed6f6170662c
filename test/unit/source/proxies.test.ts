import { describe, expect, test } from 'vitest'
import { compileProxies, proxyFor } from '../../../src/source/proxies.ts'

const http = 'http://user:p%40ss@proxy.example:3128'
const https = 'https://secure.example'

const nameFor = (url: string, except: readonly string[] = [], own: string | null = https) =>
  proxyFor(new URL(url), compileProxies({ http, https: own, except }))?.name ?? null

describe('the proxy for a source', () => {
  test('goes by the scheme of its URL, and that for http does for https', () => {
    expect(nameFor('http://mirror.example/')).toBe('proxy.example:3128')
    expect(nameFor('https://mirror.example/')).toBe('secure.example')
    expect(nameFor('https://mirror.example/', [], null)).toBe('proxy.example:3128')
  })

  test('that is set for https alone is none for http', () => {
    const proxies = compileProxies({ http: null, https, except: [] })
    expect(proxyFor(new URL('http://mirror.example/'), proxies)).toBeNull()
  })

  test('keeps its credentials apart from its URL', () => {
    const proxies = compileProxies({ http, https, except: [] })
    expect(proxies.http).toEqual({
      url: new URL('http://proxy.example:3128'),
      name: 'proxy.example:3128',
      authorization: `Basic ${Buffer.from('user:p@ss').toString('base64')}`,
    })
    expect(proxies.https?.authorization).toBeNull()
  })
})

describe('without a proxy', () => {
  test.each([
    ['example.com', 'http://example.com/'],
    ['example.com', 'http://EXAMPLE.com./'],
    ['Example.Com.', 'http://example.com/'],
    ['example.com', 'http://a.b.example.com/'],
    ['.example.com', 'http://example.com/'],
    ['.example.com', 'https://a.example.com/'],
    ['*.example.com', 'http://a.example.com/'],
    ['example.com:80', 'http://example.com/'],
    ['example.com:443', 'https://example.com/'],
    ['example.com:8080', 'http://a.example.com:8080/'],
    ['*', 'http://10.0.0.1/'],
    ['*:8080', 'http://example.com:8080/'],
    ['localhost', 'http://localhost:5000/'],
    ['127.0.0.1', 'http://2130706433/'],
    ['10.0.0.0/8', 'http://10.1.2.3:5000/'],
    ['10.0.0.0/8', 'http://[::ffff:10.1.2.3]/'],
    ['::1', 'http://[::1]:8080/'],
    ['[::1]', 'http://[::1]/'],
    ['[::1]:8080', 'http://[::1]:8080/'],
    ['fd00::/8', 'http://[fd12::1]/'],
  ])('by NO_PROXY=%s is %s', (entry, url) => {
    expect(nameFor(url, ['other.example', entry])).toBeNull()
  })

  test.each([
    ['example.com', 'http://notexample.com/'],
    ['example.com', 'http://example.com.evil.net/'],
    ['*.example.com', 'http://example.com/'],
    ['a.example.com', 'http://example.com/'],
    ['example.com:80', 'https://example.com/'],
    ['example.com:8080', 'http://example.com/'],
    ['*:8080', 'http://example.com/'],
    ['127.0.0.1', 'http://localhost/'],
    ['10.0.0.0/8', 'http://11.0.0.1/'],
    ['10.0.0.0/8', 'http://ten.example/'],
    ['[::1]:8080', 'http://[::1]/'],
    ['0.0.1', 'http://10.0.0.1/'],
  ])('by NO_PROXY=%s is not %s', (entry, url) => {
    expect(nameFor(url, [entry])).not.toBeNull()
  })
})
