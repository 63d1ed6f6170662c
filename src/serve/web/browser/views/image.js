import { html, nothing } from 'lit-html'
import { Problem } from '../api.js'
import { linesOf } from '../lines.js'
import { hashOf } from '../place.js'
import { age, size, trouble } from '../words.js'
import { asked } from './asking.js'
import { phase } from './image-list.js'
/** @import { App } from '../app.js' */
/** @import { ImageBody } from '../../../../image/status.ts' */

/** One image: what it is, what is the matter with it, and how it is fetched. @param {App} app @param {string} name */
export function imageView(app, name) {
  const image = app.images.get(name)
  if (!image) return missing(app, name)
  return html`
    <article class="image">
      <p><a href=${hashOf({ view: 'images', name: '' })}>All images</a></p>
      <div class="title">
        <h2>${name}</h2>
        <p class="state">${phase(image)}</p>
        ${actions(app, image)}
      </div>
      ${told(image)} ${facts(image)} ${image.status.phase === 'Ready' ? lines(app, image) : nothing}
    </article>
  `
}

/** @param {App} app @param {string} name */
function missing({ images }, name) {
  if (!images.isComplete) return html`<p role="status">Images are being read…</p>`
  return html`<p>There is no image "${name}". <a href="#/images">All images</a></p>`
}

/** @param {App} app @param {ImageBody} image */
function actions(app, image) {
  if (!app.session.may('write')) return nothing
  const mayRetry = image.status.phase === 'Failed' || image.status.phase === 'ImageLost'
  return html`
    <div class="buttons">
      ${mayRetry ? html`<button class="main" @click=${() => retry(app, image)}>Try again</button>` : nothing}
      ${
        image.status.phase === 'Terminating'
          ? nothing
          : html`<button class="danger" @click=${() => remove(app, image)}>Delete…</button>`
      }
    </div>
  `
}

/** @param {App} app @param {ImageBody} image */
async function retry(app, { name }) {
  await trying(app, async () => {
    app.images.learn(await app.api.change('POST', `api/v1/images/${name}/retry`))
    app.say(`${name} is tried again`)
  })
}

/** @param {App} app @param {ImageBody} image */
async function remove(app, { name, uid }) {
  const text = `${name} and what nothing else uses of its bytes go for good. Machines that have it already keep their disks.`
  if (!(await asked({ title: `Delete ${name}?`, text, doing: 'Delete' }))) return
  await trying(app, async () => {
    await app.api.change('DELETE', `api/v1/images/${name}?uid=${encodeURIComponent(uid)}`)
    app.say(`${name} was deleted`)
    location.hash = hashOf({ view: 'images', name: '' })
  })
}

/** @param {App} app @param {() => Promise<void>} work */
async function trying(app, work) {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    app.say(error.message)
  }
}

/** @param {ImageBody} image */
function told(image) {
  const text = trouble(image)
  if (text === '') return nothing
  const { nextRetryAt } = image.status
  return html`<div class="trouble" role="note">
    <p>${text}</p>
    ${nextRetryAt === undefined ? nothing : html`<p>It is tried again ${age(nextRetryAt, Date.now())}.</p>`}
  </div>`
}

/** @param {ImageBody} image */
function facts({ createdAt, dataSource, status }) {
  const { source, details = {} } = status
  const from = dataSource.http?.url ?? dataSource.containerImage?.image ?? dataSource.type
  return html`
    <dl class="facts">
      ${fact('From', from)} ${fact('Created', new Date(createdAt).toLocaleString())}
      ${fact('Format', status.format)} ${fact('Size of the disk', size(status.size?.unpackedBytes))}
      ${fact('Stored', size(status.size?.storedBytes))} ${fact('Bootable', status.bootable)}
      ${fact('Architecture', status.architecture)} ${fact('Digest', status.target.digest)}
      ${fact('SHA-256 of the source', source?.sha256)}
      ${Object.entries(details).map(([name, value]) => fact(name, shown(value)))}
    </dl>
  `
}

/** @param {string} name @param {string | undefined} value */
function fact(name, value) {
  return value === undefined
    ? nothing
    : html`<div>
        <dt>${name}</dt>
        <dd>${value}</dd>
      </div>`
}

/** @param {unknown} value */
function shown(value) {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** @param {App} app @param {ImageBody} image */
function lines(app, image) {
  return html`
    <h3>Use it</h3>
    ${linesOf(image, new URL(document.baseURI)).map(
      ({ title, hint, text }) => html`
        <section class="line">
          <h4>${title}</h4>
          <p>${hint}</p>
          <pre tabindex="0" aria-label=${title}>${text}</pre>
          <button @click=${() => copy(app, title, text)} aria-label="Copy the line for ${title}">
            Copy
          </button>
        </section>
      `,
    )}
  `
}

/** @param {App} app @param {string} title @param {string} text */
async function copy(app, title, text) {
  try {
    await navigator.clipboard.writeText(text)
    app.say(`The line for ${title} is in the clipboard`)
  } catch {
    // Browsers give the clipboard to pages over HTTPS and on loopback alone, and may be told not to.
    app.say('The browser does not let this page copy; select the line and copy it yourself')
  }
}
