import { html, nothing } from 'lit-html'
import { Problem } from '../api.js'
import { age, size } from '../words.js'
/** @import { App } from '../app.js' */
/** @import { RunBody, StorageBody } from '../../../api/storage-schema.ts' */

/**
 * The runs that look after the storage: what the last of them found, and buttons for those who may begin one.
 * @param {App} app @param {StorageBody} figures @param {() => void} begun told when one has begun
 */
export function care(app, { gc, scrub }, begun) {
  const mayBegin = app.session.may('maintain')
  if (!mayBegin && !gc && !scrub) return nothing
  const begin = (/** @type {RunBody['kind']} */ kind, body = {}) =>
    void started(app, kind, body, begun)
  const offered = (/** @type {string} */ text, /** @type {() => void} */ click) =>
    mayBegin ? html`<button @click=${click}>${text}</button>` : nothing
  return html`
    <h3>Looking after it</h3>
    <section class="care" aria-label="Collection">
      <p>
        A collection removes what nothing needs, such as what a power cut has left. It runs by
        itself once a day. ${gc ? collected(gc) : nothing}
      </p>
      <div class="buttons">
        ${offered('Collect now', () => begin('gc'))}
        ${offered('Only count', () => begin('gc', { dryRun: true }))}
      </div>
    </section>
    <section class="care" aria-label="Scrub">
      <p>
        A scrub reads everything again and finds what is damaged. It removes nothing.
        ${scrub ? scrubbed(scrub) : nothing}
      </p>
      <div class="buttons">${offered('Scrub now', () => begin('scrub'))}</div>
    </section>
  `
}

/** @param {App} app @param {RunBody['kind']} kind @param {object} body @param {() => void} begun */
async function started(app, kind, body, begun) {
  try {
    /** @type {RunBody} */
    const run = await app.api.change('POST', `api/v1/storage/${kind}`, { body })
    app.say(whatRuns(run, body))
    begun()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    app.say(error.sentence)
  }
}

/**
 * One of a kind runs at a time: whoever asks for another one is answered with that.
 * @param {RunBody} run @param {{ dryRun?: boolean }} asked
 */
function whatRuns({ kind, options }, asked) {
  if (kind === 'scrub') return 'The scrub has begun'
  const counts = options['dryRun'] === true
  if (counts === (asked.dryRun === true))
    return counts ? 'The count has begun' : 'The collection has begun'
  return counts
    ? 'A count is running: collect once it has ended'
    : 'A collection is running, and tells what it removes'
}

/** @param {RunBody} run */
function collected(run) {
  const { progress, options } = run
  const verb = options['dryRun'] === true ? 'would remove' : 'removed'
  const failed = Number(progress['failed'] ?? 0)
  const found = `It ${verb} ${progress['removed'] ?? 0} blobs, ${size(told(progress['freedBytes']))}${
    failed > 0 ? `; ${failed} could not be removed and are tried again` : ''
  }.`
  return html`<strong>${state(run)}</strong> ${found} ${warning(run)}`
}

/** @param {RunBody} run */
function scrubbed(run) {
  const { progress } = run
  const { blobs = 0, blobsInAll, damaged = 0, mended = 0, unread = 0 } = progress
  const all = blobsInAll === undefined ? '' : ` of ${blobsInAll}`
  const found = [
    `It read ${blobs}${all} blobs, ${size(told(progress['bytes']))}`,
    Number(damaged) > 0 ? `${damaged} are damaged` : 'none is damaged',
    ...(Number(mended) > 0 ? [`${mended} are sound again`] : []),
    ...(Number(unread) > 0 ? [`${unread} could not be read`] : []),
  ]
  return html`<strong class=${Number(damaged) > 0 ? 'bad' : ''}>${state(run)}</strong>
    ${found.join(', ')}. ${warning(run)}`
}

/** @param {RunBody} run */
function warning({ message, progress }) {
  const text = [message, progress['warning']].filter(Boolean).join(' ')
  return text === '' ? nothing : html`<span class="warning">${text}</span>`
}

/** @param {RunBody} run */
function state({ state, startedAt, finishedAt }) {
  const now = Date.now()
  if (state === 'running') return `The last one runs, begun ${age(startedAt, now)}.`
  const when = age(finishedAt ?? startedAt, now)
  if (state === 'done') return `The last one ended ${when}.`
  return state === 'failed'
    ? `The last one failed ${when}.`
    : `The last one was interrupted ${when}.`
}

/** @param {string | number | boolean | null | undefined} fact */
function told(fact) {
  return typeof fact === 'string' || typeof fact === 'number' ? fact : 0
}
