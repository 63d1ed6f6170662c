import { execFileSync } from 'node:child_process'
import { Ajv } from 'ajv'
import { load } from 'js-yaml'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { ImageBody } from '../../../src/image/status.ts'
import { linesOf, uploadLineOf } from '../../../src/serve/web/browser/lines.js'
import { manifest } from '../../../src/serve/web/browser/manifest.js'
import { clusterVirtualImage } from '../../../src/sync/crd/cluster-virtual-image.ts'
import { structural } from '../../../src/sync/crd/structural.ts'
import { imageOf, statusOf } from './images.ts'

const base = new URL('http://127.0.0.1:8080/')

function ready(changes: Partial<ImageBody['status']> = {}): ImageBody {
  const target = { registryURL: '127.0.0.1:8080/cvi/demo', digest: 'sha256:1f' }
  return imageOf('demo', { status: statusOf({ format: 'qcow2', target, ...changes }) })
}

type Shown = { readonly at?: URL; readonly user?: string | null; readonly image?: ImageBody }

/** The line of a title, empty where there is none. */
function line(title: string, { at = base, user = null, image = ready() }: Shown = {}): string {
  return linesOf(image, at, user).find((each) => each.title === title)?.text ?? ''
}

/** The words that a shell makes of a line. */
function wordsOf(text: string): readonly string[] {
  const env = { PATH: process.env['PATH'], SLIPWAY_TOKEN: 'se cret' }
  const script = `printf '%s\\n' ${text}`
  return execFileSync('sh', ['-ec', script], { env, encoding: 'utf8' }).split('\n').slice(0, -1)
}

const hostile = '/it\'s "here" $(touch x) `y` ; z/'

describe('lines', () => {
  test('are words of a shell, whatever stands in the address of the page', () => {
    const at = new URL(`http://127.0.0.1:8080${hostile}`)
    const disk = new URL('api/v1/images/demo/disk', at).href
    expect(wordsOf(line('curl', { at })).at(-1)).toBe(disk)
    expect(wordsOf(line('qemu-img', { at }))).toContain(disk)
  })

  test('are words of a shell, whatever a caller is called', () => {
    const user = 'o\'Hara "$HOME" `id` \\'
    expect(wordsOf(line('skopeo', { user }))).toContain(`${user}:se cret`)
    expect(wordsOf(line('containerd', { user }))).toContain(`${user}:se cret`)
    expect(wordsOf(line('A pull secret', { user }))).toContain(`--docker-username=${user}`)
    const options = wordsOf(line('qemu-img', { user: 'a,b' })).join(' ')
    expect(options).toContain('file.username=a,,b,file.password-secret=token')
    expect(options).toContain('data=se cret')
  })

  test('have the token where it is asked for, and no word of it where it is not', () => {
    const titled = (user: string | null) =>
      linesOf(ready(), base, user).filter(({ text }) => text.includes('$SLIPWAY_TOKEN'))
    expect(titled(null)).toEqual([])
    const titles = titled('editor').map(({ title }) => title)
    expect(titles).toEqual(['curl', 'qemu-img', 'skopeo', 'containerd', 'A pull secret'])
  })

  test("allow plain HTTP for this page's own registry alone", () => {
    expect(line('skopeo')).toContain('--src-tls-verify=false')
    expect(line('containerd')).toContain('--plain-http')
    const elsewhere = { registryURL: 'dvcr.example.com/cvi/demo', digest: 'sha256:1f' }
    for (const shown of [
      { image: ready({ target: elsewhere }) },
      { at: new URL('https://127.0.0.1:8080/') },
    ]) {
      expect(line('skopeo', shown)).not.toContain('tls-verify')
      expect(line('containerd', shown)).not.toContain('--plain-http')
      expect(line('containerd over plain HTTP', shown)).toBe('')
    }
    expect(line('KubeVirt', { image: ready({ target: elsewhere }) })).toContain(
      'image: dvcr.example.com/cvi/demo@sha256:1f',
    )
  })

  test('of libvirt tell where the disk is, and what it is', () => {
    const at = new URL("https://[::1]/it's/")
    const iso = line('libvirt', { at, image: ready({ format: 'iso' }) })
    expect(iso).toContain("device='cdrom'")
    expect(iso).toContain("<host name='::1' port='443'/>")
    expect(iso).toContain("name='/it&#39;s/api/v1/images/demo/disk'")
    expect(line('libvirt', { image: ready({ format: 'vhd' }) })).toContain("type='vpc'")
  })

  test('of an upload are those that the service gives', () => {
    expect(uploadLineOf(ready())).toBe(null)
    const uploadCommand = 'curl https://example.com/upload/x -T example.iso'
    expect(uploadLineOf(ready({ uploadCommand }))?.text).toBe(uploadCommand)
    const resumeCommand = 'curl -C 123 https://example.com/upload/x -T example.iso'
    const upload = { offset: '123', resumeCommand }
    expect(uploadLineOf(ready({ upload }))?.text).toBe(resumeCommand)
  })
})

describe('the resource of a cluster', () => {
  const validate = new Ajv({ strict: false, formats: { byte: true, int64: true } }).compile(
    structural(clusterVirtualImage.spec, 'closed'),
  )
  const resource = z.object({
    apiVersion: z.string(),
    kind: z.string(),
    metadata: z.object({ name: z.string() }),
    spec: z.unknown(),
  })
  const apiVersion = 'virtualization.deckhouse.io/v1alpha2'
  const kind = 'ClusterVirtualImage'

  const url = 'https://example.com/a?c:#d"e"\\f:'
  const hex = '12345678'.repeat(8)
  test.each<ImageBody['dataSource']>([
    { type: 'Upload' },
    { type: 'HTTP', http: { url, checksum: { sha256: hex }, insecureSkipTLSVerify: true } },
    {
      type: 'ContainerImage',
      containerImage: { image: 'example.com/a:1', platform: 'linux/arm64' },
    },
    { type: 'ObjectRef', objectRef: { kind: 'ClusterVirtualImage', name: 'no' } },
  ])('is what its definition admits: %j', (dataSource) => {
    const read = resource.parse(load(manifest(imageOf('demo', { dataSource }))))
    expect(read).toMatchObject({ apiVersion, kind, spec: { dataSource } })
    expect(validate(read.spec), JSON.stringify(validate.errors)).toBe(true)
  })

  test.each(['123', '1e3', 'null', 'true', 'no', '0x1f', '2026-01-01', 'a', 'a-b-1'])(
    'has the name %s as a text',
    (name) => {
      expect(resource.parse(load(manifest(imageOf(name)))).metadata.name).toBe(name)
    },
  )
})
