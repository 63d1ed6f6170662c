import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { MountedCertificate } from '../../../../src/sync/webhook/mounted-certificate.ts'
import { upToDate, type SelfMade } from '../../../../src/sync/webhook/self-made.ts'
import type { KeyPair } from '../../../../src/tls/pair.ts'
import { temporaryFolder } from '../../../support/temporary.ts'

let [first, second]: SelfMade[] = []
let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeAll(async () => {
  const nothing = { bundle: '', authorityKey: '', cert: '', key: '' }
  const make = () => upToDate(nothing, ['localhost'], Date.now())
  ;[first, second] = await Promise.all([make(), make()])
})
beforeEach(async () => void (folder = await temporaryFolder()))
afterEach(() => folder[Symbol.asyncDispose]())

/** As the kubelet does it: the files are links into a folder, which is swapped as a whole. */
async function mount(made: SelfMade | undefined, key = made?.key): Promise<void> {
  const at = (name: string) => join(folder.path, name)
  const data = `data-${Math.random()}`
  await mkdir(at(data))
  await writeFile(join(at(data), 'tls.crt'), made?.cert ?? '')
  await writeFile(join(at(data), 'tls.key'), key ?? '')
  await symlink(data, at('..new'))
  await rename(at('..new'), at('..data'))
  for (const name of ['tls.crt', 'tls.key']) {
    await rm(at(name), { force: true })
    await symlink(join('..data', name), at(name))
  }
}

function open(): Promise<MountedCertificate> {
  return MountedCertificate.open(folder.path, { log: pino({ level: 'silent' }), every: 5 })
}

test('a mounted pair is used, and another one as soon as it is mounted', async () => {
  await mount(first)
  const certificate = await open()
  const pairs: KeyPair[] = []
  const stop = new AbortController()
  const ended = certificate.run((pair) => void pairs.push(pair), stop.signal)
  const certs = () => pairs.map(({ cert }) => cert.toString())
  expect(certs()).toEqual([first?.cert])
  await mount(second, first?.key)
  await mount(second)
  await vi.waitFor(() => expect(certs()).toEqual([first?.cert, second?.cert]), 5000)
  stop.abort()
  await ended
})

test('a folder that cannot be used is refused at once, with the setting and the file', async () => {
  await expect(open()).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringMatching(
      /SLIPWAY_WEBHOOK_CERT as they are: .+tls\.(?:crt|key) cannot be/,
    ),
  })
  await mount(first, second?.key)
  await expect(open()).rejects.toThrow(/tls\.key does not belong to the certificate/)
})
