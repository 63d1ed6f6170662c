import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dataSourceSchema } from '../../../src/image/data-source.ts'
import { digestOf } from '../../../src/image/digest.ts'
import { parseReference, referenceProblem, shownReference } from '../../../src/image/reference.ts'

const sha256 = digestOf(Buffer.from('x'))
const sha512 = digestOf(Buffer.from('x'), 'sha512')
const a = (length: number) => 'a'.repeat(length)

describe('a reference', () => {
  test.each([
    ['ubuntu', 'docker.io/library/ubuntu:latest'],
    ['ubuntu:22.04', 'docker.io/library/ubuntu:22.04'],
    ['a/b', 'docker.io/a/b:latest'],
    ['a/b/c:1', 'docker.io/a/b/c:1'],
    ['docker.io/ubuntu', 'docker.io/library/ubuntu:latest'],
    ['docker.io/library/ubuntu', 'docker.io/library/ubuntu:latest'],
    ['index.docker.io/ubuntu', 'docker.io/library/ubuntu:latest'],
    ['docker://ubuntu', 'docker.io/library/ubuntu:latest'],
    ['DOCKER://quay.io/a/b', 'quay.io/a/b:latest'],
    ['localhost', 'docker.io/library/localhost:latest'],
    ['localhost:5000', 'docker.io/library/localhost:5000'],
    ['localhost/a', 'localhost/a:latest'],
    ['localhost:5000/a', 'localhost:5000/a:latest'],
    ['registry/a', 'docker.io/registry/a:latest'],
    ['registry:5000/a', 'registry:5000/a:latest'],
    ['Registry/a', 'REGISTRY/a:latest'],
    ['R.Example.COM/a', 'r.example.com/a:latest'],
    ['r.example.com/a:Tag_1.x-y', 'r.example.com/a:Tag_1.x-y'],
    ['r.example.com:443/a/b_c/d--e/f.g/h__i:1', 'r.example.com:443/a/b_c/d--e/f.g/h__i:1'],
    ['[::1]:5000/x', '[::1]:5000/x:latest'],
    ['[2001:DB8::1]/x', '[2001:db8::1]/x:latest'],
    ['127.0.0.1:5000/x', '127.0.0.1:5000/x:latest'],
    ['127.0.0.1:1/x', '127.0.0.1:1/x:latest'],
    ['127.0.0.1:65535/x', '127.0.0.1:65535/x:latest'],
    [`ubuntu@${sha256}`, `docker.io/library/ubuntu@${sha256}`],
    [`r.example.com/a@${sha512}`, `r.example.com/a@${sha512}`],
    [`r.example.com:5000/a:1@${sha256}`, `r.example.com:5000/a:1@${sha256}`],
    [`r.example.com/${a(255)}:${a(128)}`, `r.example.com/${a(255)}:${a(128)}`],
  ])('%s is %s', (text, shown) => {
    expect(referenceProblem(text)).toBeNull()
    expect(shownReference(parseReference(text))).toBe(shown)
  })

  test('has parts', () => {
    expect(parseReference(`r.example.com:5000/a/b:1@${sha256}`)).toEqual({
      registry: 'r.example.com:5000',
      repository: 'a/b',
      tag: '1',
      digest: sha256,
    })
    expect(parseReference(`a@${sha256}`)).toMatchObject({ tag: null, digest: sha256 })
    expect(parseReference('a')).toMatchObject({ tag: 'latest', digest: null })
  })

  const noRepository = 'has a repository that is none'
  const noRegistry = 'begins with something that is no registry'
  const noTag = 'has a tag that is none'
  const noDigest = 'has a digest that is neither'

  test.each([
    ['', noRepository],
    [' ubuntu', noRepository],
    ['ubuntu ', noRepository],
    ['/ubuntu', noRepository],
    ['ubuntu/', noRepository],
    ['a//b', noRepository],
    ['../a', noRegistry],
    ['a/../b', noRepository],
    ['-a', noRepository],
    ['a__.b', noRepository],
    ['r.example.com/', noRepository],
    ['r.example.com/%2e%2e/a', noRepository],
    ['ubuntu\n', noRepository],
    [`r.example.com/${a(256)}`, '256 characters; 255 are the most'],
    [a(64), 'is the ID of an image'],
    ['Ubuntu', 'has upper-case letters in its repository'],
    ['r.example.com/Team/a', 'has upper-case letters in its repository'],
    ['ubuntu:', noTag],
    ['ubuntu:-1', noTag],
    ['ubuntu:a b', noTag],
    [`ubuntu:${a(129)}`, noTag],
    ['ubuntu@', noDigest],
    ['ubuntu@sha256:abc', noDigest],
    [`ubuntu@${sha256.toUpperCase()}`, noDigest],
    [`ubuntu@md5:${a(32)}`, noDigest],
    [`ubuntu@${sha256}@${sha256}`, noDigest],
    ['user:secret@r.example.com/a', noDigest],
    ['r.example.com:0/a', noRegistry],
    ['r.example.com:65536/a', noRegistry],
    ['r.example.com:/a', noRegistry],
    ['r.example.com:x/a', noRegistry],
    ['-r.example.com/a', noRegistry],
    ['r..example.com/a', noRegistry],
    ['r.example.com./a', noRegistry],
    ['r_x.example.com/a', noRegistry],
    ['300.1.1.1/a', noRegistry],
    ['[::g]/a', noRegistry],
    ['[1::2::3]:5000/a', noRegistry],
    ['::1/a', noRegistry],
    ['https://r.example.com/a', 'must be without "https://"; write it as in'],
    ['HTTP://r.example.com/a', 'must be without "HTTP://"'],
    ['oci://r.example.com/a', 'must be without "oci://"'],
  ])('%j is none: it %s', (text, problem) => {
    expect(referenceProblem(text)).toContain(problem)
    const path = 'containerImage.image'
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({
        code: 'INVALID_REQUEST',
        fields: [{ path, message: expect.stringContaining(problem) }],
      }),
    )
  })

  test('that is refused is not repeated', () => {
    expect(referenceProblem('user:secret@r.example.com/a')).not.toContain('secret')
  })

  test('of any text is read or refused, and reads the same once shown', () => {
    const part = fc.constantFrom('a', 'B', '0', '.', ':', '/', '@', '-', '_', '[', ']', sha256)
    const text = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(text, (text) => {
        if (referenceProblem(text) !== null) return
        const reference = parseReference(text)
        expect(parseReference(shownReference(reference))).toEqual(reference)
        expect(URL.canParse(`https://${reference.registry}/v2/${reference.repository}`)).toBe(true)
      }),
    )
  })
})

describe('the section of a container image', () => {
  const problems = (section: unknown) =>
    dataSourceSchema
      .safeParse({ type: 'ContainerImage', containerImage: section })
      .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
  const config = (text: string) => ({ image: 'a', auth: { '.dockerconfigjson': text } })

  test.each([
    { image: 'Registry/a' },
    { image: 'a', auth: { username: 'a', password: 'b' } },
    config('{"auths":{}}'),
    config(Buffer.from('{"auths":{}}').toString('base64')),
  ])('%j is taken', (section) => {
    expect(problems(section)).toEqual([])
  })

  test('keeps the image as it was written', () => {
    const source = { type: 'ContainerImage', containerImage: { image: 'docker://A/b' } }
    expect(dataSourceSchema.parse(source)).toEqual(source)
  })

  test.each([
    [{ image: 'https://a/b' }, 'containerImage.image: must be without "https://"'],
    [{ image: '' }, 'containerImage.image: has a repository that is none'],
    [config('{}'), 'containerImage.auth..dockerconfigjson: must be JSON like'],
    [config('{"auths":{"a":{"auth":"a"}}}'), 'dockerconfigjson: holds an "auth" that is not'],
    [{ image: 'a', auth: { username: 'a' } }, 'containerImage.auth: '],
  ])('%j is refused with the field', (section, problem) => {
    expect(problems(section).join('\n')).toContain(problem)
  })
})
