import { Problem } from './api.js'
import * as marks from './marks.js'
import { nameOf } from './naming.js'
import { Sending } from './sending.js'
import { chosen } from './views/asking.js'
/** @import { App } from './app.js' */
/** @import { Mark } from './marks.js' */
/** @import { Marked } from './sending.js' */
/** @import { ImageBody } from '../../../image/status.ts' */

/** More would only make each of them slower. */
const atOnce = 3

/** Files that this page sends, several at once; the others wait for their turn. */
export class Uploads {
  /** @type {Map<string, Sending>} */
  #all = new Map()
  #app

  /** @param {App} app */
  constructor(app) {
    this.#app = app
    addEventListener('beforeunload', (event) => {
      if (this.all().some(({ isUnderWay }) => isUnderWay)) event.preventDefault()
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
   * What was dropped on the page: where an image is shown that waits for its file, a single one is that; else each is an image.
   * @param {readonly File[]} files @param {readonly string[]} folders names of them
   */
  async drop(files, folders) {
    const [folder] = folders
    if (folder !== undefined)
      this.#app.say(`${folder} is a folder; drop the disk or ISO file that is in it`)
    const image = this.expects(files.length)
    const [file] = files
    if (image && file) await this.bring(image, file)
    else await this.take(files)
  }

  /** The image that is shown and waits for a file, null where so many files cannot be it. @param {number} count */
  expects(count) {
    const { view, name } = this.#app.place
    const image = view === 'image' && count === 1 ? this.#app.images.get(name) : null
    return image && addressOf(image) !== null && !this.#isBusy(name) ? image : null
  }

  /**
   * Sends files, each under a name made of its own; one whose image waits for the rest of it goes on.
   * @param {Iterable<File>} files
   */
  async take(files) {
    for (const file of files) {
      await this.#telling(file, async () => {
        // A file that cannot be read makes no image.
        const mark = await marks.markOf(file)
        const name = this.#nameFor(file)
        const image = this.#app.images.get(name) ?? (await this.#created(name, file))
        await this.#begin(image, { file, mark })
      })
    }
  }

  /** Sends the file that an image waits for. @param {ImageBody} image @param {File} file */
  async bring(image, file) {
    await this.#telling(file, async () => {
      await this.#begin(image, { file, mark: await marks.markOf(file) })
    })
  }

  /** @param {string} name */
  pause(name) {
    this.of(name)?.pause()
    this.#next()
  }

  /** @param {string} name */
  goOn(name) {
    this.of(name)?.wait()
    this.#next()
  }

  /** @param {string} name */
  hide(name) {
    this.of(name)?.leave()
    this.#all.delete(name)
    this.#next()
  }

  /** Asks what is to become of the image, and does it. @param {string} name */
  async stop(name) {
    const sending = this.of(name)
    if (!sending) return
    const choice = await chosen({
      title: `Stop sending ${name}?`,
      text: 'What is there already can stay for a while: choose the file again to go on. Or the image is deleted, with all that was sent.',
      none: 'Go on sending',
      choices: [
        { value: 'keep', text: 'Stop, keep what is there' },
        { value: 'delete', text: 'Delete the image', isDanger: true },
      ],
    })
    // It may have come to its end while somebody thought.
    if (choice === '' || !sending.isUnderWay) return
    sending.pause()
    this.hide(name)
    if (choice === 'delete') await this.#telling(sending.file, () => this.#delete(sending))
  }

  /** @param {Sending} sending */
  async #delete({ name, uid }) {
    marks.forget(uid)
    await this.#app.api.change('DELETE', `api/v1/images/${name}?uid=${encodeURIComponent(uid)}`)
    this.#app.say(`${name} was deleted`)
  }

  /** @param {File} file @param {() => Promise<void>} work */
  async #telling(file, work) {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.#app.say(`${file.name}: ${error.message}`)
    }
  }

  /** @param {File} file */
  #nameFor(file) {
    const wanted = nameOf(file.name)
    let name = wanted
    for (let count = 2; !this.#isFree(name, file); count += 1) name = `${wanted}-${count}`
    return name
  }

  /** Whether no image has it, or one that waits for this file. @param {string} name @param {File} file */
  #isFree(name, file) {
    const image = this.#app.images.get(name)
    if (!image) return true
    const { length } = image.status.upload ?? {}
    const isSame = length === undefined || Number(length) === file.size
    return isSame && !this.#isBusy(name) && addressOf(image) !== null
  }

  /** @param {string} name */
  #isBusy(name) {
    return this.of(name)?.isUnderWay ?? false
  }

  /** @param {string} name @param {File} file @returns {Promise<ImageBody>} @throws {Problem} when there can be no such image */
  async #created(name, file) {
    if (file.size === 0) throw told('the file is empty, so no image can be made of it')
    const body = { name, dataSource: { type: 'Upload' } }
    /** @type {ImageBody} */
    const image = await this.#app.api.change('POST', 'api/v1/images', { body })
    this.#app.images.learn(image)
    return image
  }

  /** @param {ImageBody} image @param {Marked} marked @throws {Problem} */
  async #begin(image, { file, mark }) {
    const { name, uid } = image
    const address = addressOf(image)
    if (address === null) throw told(`${name} waits for no file any more`)
    this.#assertIdle(name)
    // Events tell of it a while later, and not at all of one whose sender has just gone.
    /** @type {{ offset: string }} */
    const { offset } = await this.#app.api.read(address)
    const way = await wayOf(image, mark, offset)
    if (way === '') return
    // Another file may have been dropped meanwhile.
    this.#assertIdle(name)
    this.of(name)?.leave()
    this.#tidy()
    marks.remember(uid, mark)
    marks.rememberAddress(uid, address)
    const sending = new Sending(this.#app, image, { file, mark }, address)
    sending.isAnew = way === 'anew'
    if (way === 'on') sending.goesOn()
    this.#all.set(name, sending)
    this.#next()
  }

  /** @param {string} name @throws {Problem} */
  #assertIdle(name) {
    if (this.#isBusy(name)) throw told(`${name} is being sent already`)
  }

  /** Images that are gone need no memory. */
  #tidy() {
    if (!this.#app.images.isComplete) return
    const uids = new Set([...this.#app.images.all()].map(({ uid }) => uid))
    marks.tidy((uid) => uids.has(uid))
  }

  #next() {
    this.#app.changed()
    const all = this.all()
    let free = atOnce - all.filter(({ state }) => state === 'sending' || state === 'away').length
    for (const sending of all) {
      if (free <= 0) return
      if (sending.state !== 'waiting') continue
      free -= 1
      void this.#run(sending)
    }
  }

  /** @param {Sending} sending */
  async #run(sending) {
    await sending.run()
    if (sending.state === 'sent') {
      marks.forget(sending.uid)
      this.#app.say(`All of ${sending.name} is there`)
    }
    this.#next()
  }
}

/**
 * Where a file is sent to, below this page, whatever others call its origin; null where none is waited for.
 * @param {ImageBody} image
 */
function addressOf({ uid, status: { phase, imageUploadURLs, upload } }) {
  const given = imageUploadURLs?.external ?? /https?:\S+/.exec(upload?.resumeCommand ?? '')?.[0]
  if (given !== undefined) return new URL(given).pathname.replace(/^.*\/upload\//, 'upload/')
  return phase === 'Provisioning' ? marks.recalledAddress(uid) : null
}

/**
 * Whether to go on with what is there of an image, or to begin anew; asks where only a person knows.
 * @param {ImageBody} image @param {Mark} mark @param {string} offset bytes that are there
 * @returns {Promise<string>} `on`, `first` where nothing is there, `anew`, or empty for none of them
 */
async function wayOf({ name, uid }, mark, offset) {
  const likeness = marks.compared(marks.recalled(uid), mark)
  if (likeness === 'same') return 'on'
  if (offset === '0') return 'first'
  const anew = { value: 'anew', text: 'Send it from the beginning' }
  if (likeness === 'other') {
    return await chosen({
      title: `This is another file than the one that was begun`,
      text: `${name} has the beginning of a file with other contents. To go on, choose that one. Or send ${mark.name} in its place, from the beginning.`,
      choices: [anew],
    })
  }
  return await chosen({
    title: `Is ${mark.name} the file that was begun?`,
    text: `${name} has the beginning of a file. It may be this one, but this browser cannot be sure: the file was changed or copied since, or another program began to send it.`,
    choices: [{ value: 'on', text: 'It is: send the rest' }, anew],
  })
}

/** @param {string} message */
function told(message) {
  return new Problem(message, { code: 'UPLOAD', status: -1 })
}
