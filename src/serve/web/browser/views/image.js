import { html, nothing } from 'lit-html'
import { Problem } from '../api.js'
import { hashOf } from '../place.js'
import { remedyOf } from '../remedies.js'
import { asked } from './asking.js'
import { conditions } from './conditions.js'
import { imageFacts } from './image-facts.js'
import { imageLines } from './image-lines.js'
import { waiting } from './waiting.js'
import { phase } from './image-row.js'
import { troubleBox } from './trouble.js'
/** @import { App } from '../app.js' */
/** @import { Uploads } from '../uploads.js' */
/** @import { Create } from './create.js' */
/** @import { ImageList } from './image-list.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */

/** One image: what it is, what is the matter with it, and how it is fetched. */
export class ImageView {
  #app
  #uploads
  #create
  #list
  /** The one that is looked at. */
  #name = ''
  #uid = ''
  /** Whether another one has come in its place while it was looked at. */
  #isReplaced = false
  #problem = ''
  #isBusy = false

  /** @param {App} app @param {Create} create @param {ImageList} list @param {Uploads} uploads */
  constructor(app, create, list, uploads) {
    this.#uploads = uploads
    this.#app = app
    this.#create = create
    this.#list = list
  }

  /** @param {string} name */
  view(name) {
    if (name !== this.#name) this.#look(name)
    const image = this.#app.images.get(name)
    return html`
      <article class="image">
        <p><a href=${hashOf(this.#list.place)}>All images</a></p>
        ${image ? this.#shown(image) : this.#missing()}
      </article>
    `
  }

  /** @param {string} name */
  #look(name) {
    this.#name = name
    this.#uid = ''
    this.#isReplaced = false
    this.#problem = ''
  }

  #missing() {
    if (!this.#app.images.isComplete) return html`<p role="status">Images are being read…</p>`
    const name = html`<h2>${this.#name}</h2>`
    if (this.#uid === '')
      return html`${name}
        <p>There is no image of this name.</p>`
    return html`${name}
      <p role="status">This image was deleted.</p>`
  }

  /** @param {ImageBody} image */
  #shown(image) {
    if (this.#uid !== '' && this.#uid !== image.uid) {
      this.#isReplaced = true
      this.#problem = ''
    }
    this.#uid = image.uid
    return html`
      <div class="title">
        <h2>${image.name}</h2>
        <p class="state">${phase(image)}</p>
        ${this.#app.session.may('write') ? this.#actions(image) : nothing}
      </div>
      <p class="problem" role="alert">${this.#problem}</p>
      ${
        this.#isReplaced
          ? html`<p role="status">This is a new image; the one before it was deleted.</p>`
          : nothing
      }
      ${troubleBox(this.#app, image)} ${waiting(this.#app, this.#uploads, image.name)}
      ${imageLines(this.#app, image)}
      <h3>What it is</h3>
      ${imageFacts(this.#app, image)} ${conditions(image)}
    `
  }

  /** @param {ImageBody} image */
  #actions(image) {
    const { phase } = image.status
    if (phase === 'Terminating') return nothing
    const ways = remedyOf(image)?.ways ?? []
    const mayRetry = phase === 'Failed' || phase === 'ImageLost'
    const isUpload = image.dataSource.type === 'Upload'
    return html`
      <div class="buttons">
        ${ways.includes('storage') ? html`<a href="#/storage">What takes the space</a>` : nothing}
        ${
          ways.includes('change')
            ? html`<button class="main" @click=${() => this.#create.openFor(image)}>
                Change and try again
              </button>`
            : nothing
        }
        ${
          mayRetry
            ? html`<button
                class=${ways.includes('change') ? '' : 'main'}
                ?disabled=${this.#isBusy}
                @click=${() => this.#retry(image)}
              >
                ${isUpload ? 'Ask for a new upload' : 'Try again'}
              </button>`
            : nothing
        }
        <button class="danger" ?disabled=${this.#isBusy} @click=${() => this.#remove(image)}>
          Delete…
        </button>
      </div>
    `
  }

  /** @param {ImageBody} image */
  async #retry({ name, dataSource }) {
    await this.#trying(async () => {
      const { api, images } = this.#app
      images.learn(await api.change('POST', `api/v1/images/${name}/retry`))
      this.#app.say(
        dataSource.type === 'Upload' ? `${name} waits for its file` : `${name} is tried again`,
      )
    })
  }

  /** @param {ImageBody} image */
  async #remove({ name, uid }) {
    const text = `${name} and what nothing else uses of its bytes go for good. Machines that have it already keep their disks.`
    if (!(await asked({ title: `Delete ${name}?`, text, doing: 'Delete' }))) return
    await this.#trying(async () => {
      await this.#app.api.change('DELETE', `api/v1/images/${name}?uid=${encodeURIComponent(uid)}`)
      this.#app.images.forget({ name, uid })
      this.#app.say(`${name} was deleted`)
      await this.#leave(name)
    })
  }

  /** Whoever has deleted an image is led to the others. */
  async #leave(/** @type {string} */ name) {
    const { place } = this.#app
    if (place.view !== 'image' || place.name !== name) return
    this.#app.replace(this.#list.place)
    await this.#app.drawn()
    document.getElementById('images-title')?.focus()
  }

  /** What goes wrong is said beside what was pressed. @param {() => Promise<void>} work */
  async #trying(work) {
    this.#isBusy = true
    this.#problem = ''
    this.#app.changed()
    try {
      await work()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.#problem = error.sentence
    } finally {
      this.#isBusy = false
      this.#app.changed()
    }
  }
}
