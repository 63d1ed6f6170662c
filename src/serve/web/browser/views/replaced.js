import { html } from 'lit-html'
import { empty } from '../draft.js'
/** @import { App } from '../app.js' */
/** @import { Checksums } from '../../../../image/data-source.ts' */
/** @import { Draft, Way } from '../draft.js' */
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

  /** What it was made from; secrets are told to nobody. @param {Way} way @returns {Draft} */
  draftFor(way) {
    const { http, containerImage } = this.#image.dataSource
    const draft = { ...empty, name: this.name }
    if (way !== this.way) return draft
    const { caBundle = '' } = http ?? containerImage ?? {}
    return {
      ...draft,
      place: http?.url ?? containerImage?.image ?? '',
      checksum: strongest(http?.checksum),
      certificates: atob(caBundle),
      platform: containerImage?.platform ?? '',
    }
  }

  /** What the dialog has no field for stays as it was. */
  get kept() {
    const { http, containerImage } = this.#image.dataSource
    const { insecureSkipTLSVerify } = http ?? containerImage ?? {}
    return insecureSkipTLSVerify === undefined ? {} : { insecureSkipTLSVerify }
  }

  view() {
    return html`<p>
      With Import, the failed ${this.name} is deleted and made anew from what stands here. Tokens,
      and what stood behind a ? in the URL, are not kept: type them again.
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

/** One is enough, and the form has room for one. @param {Checksums} [checksum] */
function strongest(checksum = {}) {
  const { sha512, sha256, sha1, md5 } = checksum
  return sha512 ?? sha256 ?? sha1 ?? md5 ?? ''
}
