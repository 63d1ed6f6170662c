import { describe, expect, test } from 'vitest'
import { originOf } from '../../../src/image/origin.ts'

const http = (url: string) => originOf({ type: 'HTTP', http: { url } })
const registry = (image: string) => originOf({ type: 'ContainerImage', containerImage: { image } })

describe('the origin of an image', () => {
  test('is the host of its URL, however that is written', () => {
    expect(http('https://Example.COM/a.img?x=1')).toBe('example.com')
    expect(http('https://user:secret@example.com:443/a.img')).toBe('example.com')
    expect(http('http://example.com:8080/a.img')).toBe('example.com:8080')
    expect(http('http://0x7f.1/a.img')).toBe('127.0.0.1')
    expect(http('http://[::1]:80/')).toBe('[::1]')
  })

  test('is its registry', () => {
    expect(registry('ubuntu')).toBe('docker.io')
    expect(registry('Quay.io:5000/team/disk:1')).toBe('quay.io:5000')
  })

  test('is none where nothing is fetched', () => {
    expect(originOf({ type: 'Upload' })).toBeNull()
    const objectRef = { kind: 'ClusterVirtualImage', name: 'other' } as const
    expect(originOf({ type: 'ObjectRef', objectRef })).toBeNull()
  })
})
