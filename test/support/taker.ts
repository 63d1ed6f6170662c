import { mkdtemp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Code } from '../../src/errors.ts'
import { digestOf } from './clients-layout.ts'
import type { Home } from './clients.ts'
import { stagedIn } from './leftovers.ts'
import { pull } from './pull.ts'
import { readiness, type Image, type Source } from './rest.ts'
import type { Service } from './service.ts'

type Section = NonNullable<Source['containerImage']>

export type Expected = {
  readonly digest: string
  readonly platform?: string
  /** What went into the container image, where it is not what comes out. */
  readonly file?: Buffer
}

/** A service that is asked for disks in container images, one image for each question. */
export class Taker {
  readonly #service: Service
  readonly #home: Home
  #count = 0

  constructor(service: Service, home: Home) {
    this.#service = service
    this.#home = home
  }

  /** The image becomes Ready, what skopeo pulls of it is this disk, and its status tells where it came from. */
  async expectDisk(section: Section, bytes: Buffer, expected: Expected): Promise<Image> {
    const name = await this.#create(section)
    const ready = await this.#service.rest.ready(name)
    const { digest, platform, file = bytes } = expected
    expect(ready.status.source).toEqual({
      image: section.image.replace('docker://', ''),
      digest,
      ...(platform !== undefined && { platform }),
      bytes: String(file.length),
      sha256: digestOf(file).replace('sha256:', ''),
    })
    const into = await mkdtemp(this.#home.at('pulled-'))
    const pulled = await pull(this.#service.base, name, join(into, 'image'))
    expect(pulled.files).toHaveLength(1)
    expect(digestOf(await readFile(pulled.disk))).toBe(digestOf(bytes))
    return ready
  }

  /** The image fails for good, with this code, and nothing of it stays. */
  async expectFailure(section: Section, code: Code, message: string | RegExp): Promise<void> {
    const name = await this.#create(section)
    const failed = await this.#service.rest.reaches(name, 'Failed')
    const told = readiness(failed)
    expect(told.message).toEqual(
      typeof message === 'string' ? message : expect.stringMatching(message),
    )
    expect(told.reason).toBe('ProvisioningFailedTerminally')
    await this.#service.logs.line((line) => line['image'] === name && line['code'] === code)
    expect(await stagedIn(this.#service.folder)).toEqual([])
  }

  async #create(containerImage: Section): Promise<string> {
    this.#count += 1
    const name = `taken-${this.#count}`
    await this.#service.rest.create(name, { type: 'ContainerImage', containerImage })
    return name
  }
}
