import { Problem } from './api.js'
import { nameOf } from './naming.js'
import { scriptAddress } from './trusted.js'
/** @import { App } from './app.js' */
/** @import { Upload as TusUpload } from 'tus-js-client' */

/**
 * A file on its way to the service.
 * @typedef {{
 *   readonly name: string,
 *   readonly file: File,
 *   state: 'waiting' | 'sending' | 'broken' | 'sent' | 'given up',
 *   sent: number,
 *   speed: number,
 *   sha256: string | null,
 *   message: string,
 * }} Sending
 */

/** More would only make each of them slower. */
const atOnce = 3
/** Milliseconds before a broken connection is tried again, for as long as the upload's own patience. */
const pauses = [0, 1000, 3000, 5000, 10_000, 30_000, 60_000]

/** Files that are sent, several at once; what breaks off goes on where the service has it. */
export class Uploads {
  /** @type {Map<string, Sending>} */
  #all = new Map()
  /** @type {Map<string, TusUpload>} */
  #running = new Map()
  #app

  /** @param {App} app */
  constructor(app) {
    this.#app = app
    addEventListener('beforeunload', (event) => {
      if (this.#running.size > 0) event.preventDefault()
    })
  }

  all() {
    return [...this.#all.values()]
  }

  /** @param {string} name */
  of(name) {
    return this.#all.get(name) ?? null
  }

  /**
   * Sends files, each under a name made of its own; one whose image waits for the rest of it goes on.
   * @param {Iterable<File>} files
   */
  async take(files) {
    for (const file of files) {
      try {
        await this.begin(this.#nameFor(file), file)
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        this.#app.say(`${file.name}: ${error.message}`)
      }
    }
  }

  /** @param {File} file */
  #nameFor(file) {
    const wanted = nameOf(file.name)
    let name = wanted
    for (let count = 2; !this.#isFree(name, file); count += 1) name = `${wanted}-${count}`
    return name
  }

  /** @param {string} name @param {File} file */
  #isFree(name, file) {
    const image = this.#app.images.get(name)
    if (!image) return true
    const { dataSource, status } = image
    const length = status.upload?.length
    const waits = status.phase === 'WaitForUserUpload' || status.phase === 'Provisioning'
    const isSame = length === undefined || Number(length) === file.size
    return dataSource.type === 'Upload' && waits && isSame && !this.#running.has(name)
  }

  /**
   * Creates the image, or takes the one of this name that waits for its file, and sends it.
   * @param {string} name @param {File} file
   * @throws {Problem} when there can be no such image
   */
  async begin(name, file) {
    const image = await this.#app.api.change('POST', 'api/v1/images', {
      body: { name, dataSource: { type: 'Upload' } },
    })
    this.#app.images.learn(image)
    /** @type {Sending} */
    const sending = { name, file, state: 'waiting', sent: 0, speed: 0, sha256: null, message: '' }
    this.#all.set(name, sending)
    void this.#digest(sending)
    this.#next()
  }

  /** @param {string} name */
  async giveUp(name) {
    await this.#running.get(name)?.abort()
    this.#running.delete(name)
    this.#all.delete(name)
    this.#next()
  }

  #next() {
    this.#app.changed()
    for (const sending of this.#all.values()) {
      if (this.#running.size >= atOnce) return
      if (sending.state === 'waiting') void this.#send(sending)
    }
  }

  /** @param {Sending} sending */
  async #send(sending) {
    const { name, file } = sending
    const { Upload } = await tus()
    const began = { at: performance.now(), sent: 0 }
    sending.state = 'sending'
    const upload = new Upload(file, {
      ...this.#target(name),
      retryDelays: pauses,
      storeFingerprintForResuming: false,
      removeFingerprintOnSuccess: true,
      onProgress: (sent) => {
        const seconds = (performance.now() - began.at) / 1000
        sending.speed = seconds > 0 ? (sent - began.sent) / seconds : 0
        sending.sent = sent
        this.#app.changed()
      },
      onSuccess: () => this.#end(sending, 'sent', ''),
      onError: (error) => this.#end(sending, 'broken', error.message),
    })
    this.#running.set(name, upload)
    upload.start()
  }

  /** One that has been begun, here or elsewhere, goes on. @param {string} name */
  #target(name) {
    const address = this.#addressOf(name)
    const isBegun = this.#app.images.get(name)?.status.phase !== 'WaitForUserUpload'
    return isBegun ? { uploadUrl: address } : { endpoint: address }
  }

  /** Of the page's own origin, whatever others call it. @param {string} name */
  #addressOf(name) {
    const { imageUploadURLs, upload } = this.#app.images.get(name)?.status ?? {}
    const given = imageUploadURLs?.external ?? /https?:\S+/.exec(upload?.resumeCommand ?? '')?.[0]
    if (given === undefined) {
      throw new Problem(`${name} waits for no file any more`, { code: 'NO_UPLOAD', status: 0 })
    }
    return new URL(new URL(given).pathname.replace(/^.*\/upload\//, 'upload/'), document.baseURI)
      .href
  }

  /** @param {Sending} sending @param {Sending['state']} state @param {string} message */
  #end(sending, state, message) {
    sending.state = state
    sending.message = message
    this.#running.delete(sending.name)
    this.#next()
  }

  /** @param {Sending} sending */
  async #digest(sending) {
    const at = scriptAddress(new URL('digest-worker.js', import.meta.url))
    const worker = new Worker(at, { type: 'module' })
    worker.addEventListener('message', ({ data }) => {
      sending.sha256 = data
      worker.terminate()
      this.#app.changed()
    })
    worker.postMessage(sending.file)
  }
}

/** Loaded with the first upload: most visits send nothing. @returns {Promise<typeof import('tus-js-client')>} */
async function tus() {
  const known = Reflect.get(globalThis, 'tus')
  if (known !== undefined) return known
  const script = document.createElement('script')
  script.src = scriptAddress(new URL('../tus-js-client/dist/tus.min.js', import.meta.url))
  const loaded = new Promise((resolve, reject) => {
    script.addEventListener('load', resolve)
    script.addEventListener('error', () =>
      reject(
        new Problem('the page could not be loaded whole; load it anew', {
          code: 'AWAY',
          status: 0,
        }),
      ),
    )
  })
  document.head.append(script)
  await loaded
  return Reflect.get(globalThis, 'tus')
}
