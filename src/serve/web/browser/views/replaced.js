import { html } from 'lit-html'
/** @import { App } from '../app.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */

/** A failed image, and what is taken over from it to the one that comes in its place. */
export class Replaced {
  #app
  #image
  #isGone = false

  /** @param {App} app @param {ImageBody} image */
  constructor(app, image) {
    this.#app = app
    this.#image = image
  }

  get name() {
    return this.#image.name
  }

  get title() {
    return `Change ${this.name}`
  }

  /** @returns {'url' | 'registry'} */
  get way() {
    return this.#image.dataSource.http ? 'url' : 'registry'
  }

  get place() {
    const { http, containerImage } = this.#image.dataSource
    return http?.url ?? containerImage?.image ?? ''
  }

  get sha256() {
    return this.#image.dataSource.http?.checksum?.sha256 ?? ''
  }

  /** What the dialog has no field for stays as it was. @param {'HTTP' | 'ContainerImage'} type */
  kept(type) {
    const { http, containerImage } = this.#image.dataSource
    const { caBundle, insecureSkipTLSVerify } = (type === 'HTTP' ? http : containerImage) ?? {}
    const { platform } = (type === 'HTTP' ? undefined : containerImage) ?? {}
    return {
      ...(caBundle !== undefined && { caBundle }),
      ...(insecureSkipTLSVerify !== undefined && { insecureSkipTLSVerify }),
      ...(platform !== undefined && { platform }),
    }
  }

  view() {
    const { sha256: _, ...others } = this.#image.dataSource.http?.checksum ?? {}
    const left = Object.keys(others)
    return html`<p>
      With Import, the failed ${this.name} is deleted and made anew from what stands here. Tokens,
      and what stood behind a ? in the URL, are not kept: type them again.
      ${left.length === 0 ? '' : `Its ${left.join(' and ')} is not compared any more.`}
    </p>`
  }

  /** Its name is free once it is gone. */
  async remove() {
    if (this.#isGone) return
    const { name, uid } = this.#image
    await this.#app.api.change('DELETE', `api/v1/images/${name}?uid=${encodeURIComponent(uid)}`)
    this.#isGone = true
  }
}
