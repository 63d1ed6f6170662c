import { html } from 'lit-html'
import { empty } from '../draft.js'
/** @import { App } from '../app.js' */
/** @import { Draft, Way } from '../draft.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */

/** The strongest first: the form has room for one. */
const algorithms = /** @type {const} */ (['sha512', 'sha256', 'sha1', 'md5'])

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

  /** @returns {Way} */
  get way() {
    return this.#image.dataSource.http ? 'url' : 'registry'
  }

  /** What it was made of, as far as anybody is told. @returns {Draft} */
  get draft() {
    const { http, containerImage } = this.#image.dataSource
    const [algorithm] = this.#algorithms
    return {
      ...empty,
      name: this.name,
      place: http?.url ?? containerImage?.image ?? '',
      checksum: (algorithm && http?.checksum?.[algorithm]) ?? '',
      certificates: atob((http ?? containerImage)?.caBundle ?? ''),
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
    const [, ...left] = this.#algorithms
    return html`<p>
      With Import, the failed ${this.name} is deleted and made anew from what stands here.
      Passwords, tokens, headers, and what stood behind a ? in the URL, are not kept: type them
      again. ${left.length === 0 ? '' : `Its ${left.join(' and ')} is not compared any more.`}
    </p>`
  }

  /**
   * Deletes the failed one, and makes another.
   * @param {() => Promise<ImageBody>} make
   * @returns {Promise<ImageBody>} what was made
   * @throws Problem when one of them fails
   */
  async instead(make) {
    await this.#remove()
    try {
      return await make()
    } catch (error) {
      // Read where the failed one was, once the dialog is closed.
      this.#app.say(`The failed ${this.name} was deleted, and none was made in its place`)
      throw error
    }
  }

  /** Its name is free once it is gone. */
  async #remove() {
    if (this.#isGone) return
    const { name, uid } = this.#image
    await this.#app.api.change('DELETE', `api/v1/images/${name}?uid=${encodeURIComponent(uid)}`)
    this.#isGone = true
  }

  /** Of the checksums that it was to have. */
  get #algorithms() {
    const { checksum = {} } = this.#image.dataSource.http ?? {}
    return algorithms.filter((algorithm) => checksum[algorithm] !== undefined)
  }
}
