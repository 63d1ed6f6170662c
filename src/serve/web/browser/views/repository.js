import { html, nothing } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import { Problem } from '../api.js'
import { hashOf } from '../place.js'
import { platformOf } from '../registry.js'
import { imageOf } from '../use.js'
import { age, size } from '../words.js'
import { kindOf } from '../artifact-words.js'
import { asked } from './asking.js'
import { annotationsOf, digestOf } from './digest.js'
import { referrersOf } from './referrers.js'
/** @import { App } from '../app.js' */
/** @import { Manifest } from '../registry.js' */
/** @import { Repository, Tag } from '../repository.js' */

/** A repository: its tags, what they lead to, and what refers to that. @param {App} app @param {Repository} repository */
export function repositoryView(app, repository) {
  const { name, tags, hasMore, isRead, problem } = repository
  const image = imageOf(name)
  return html`
    <p><a href="#/repositories">All repositories</a></p>
    <h2 class="long">${name}</h2>
    ${
      image === null
        ? nothing
        : html`<p>
            It belongs to the image
            <a href=${hashOf({ view: 'image', name: image })}>${image}</a>, and goes with it.
          </p>`
    }
    ${problem === '' ? nothing : html`<p class="bad" role="alert">${problem}</p>`}
    ${isRead ? nothing : html`<p role="status">It is being read…</p>`}
    ${isRead && problem === '' && tags.length === 0 ? html`<p>It has no tags.</p>` : nothing}
    <ul class="tags" aria-label="Tags">
      ${repeat(
        tags,
        (tag) => tag.name,
        (tag) => html`<li>${one(app, repository, tag, image === null)}</li>`,
      )}
    </ul>
    ${hasMore ? html`<p><button @click=${() => repository.more()}>More tags</button></p>` : nothing}
  `
}

/** @param {App} app @param {Repository} repository @param {Tag} tag @param {boolean} mayChange */
function one(app, repository, tag, mayChange) {
  const { name, manifest, problem } = tag
  return html`
    <h3>${name}</h3>
    ${problem === '' ? nothing : html`<p class="bad" role="alert">${problem}</p>`}
    ${manifest ? facts(app, manifest) : problem === '' ? html`<p class="hint">It is being read…</p>` : nothing}
    ${manifest ? html`${children(app, manifest)} ${annotationsOf(manifest.annotations)}` : nothing}
    ${manifest ? referrersOf(app, repository, tag, manifest.digest) : nothing}
    ${manifest && mayChange && app.session.may('write') ? deletions(app, repository, tag, manifest) : nothing}
  `
}

/** @param {App} app @param {Manifest} manifest */
function facts(app, { digest, type, bytes, platforms, created }) {
  const told = [
    kindOf(type),
    ...(platforms.length === 0 ? [] : [platforms.join(', ')]),
    ...(bytes === null ? [] : [size(bytes)]),
    ...(created === null ? [] : [`made ${age(created, Date.now())}`]),
  ]
  return html`<p title=${type}>${told.join(' · ')}</p>
    ${digestOf(app, digest)}`
}

/** What an index has for each platform. @param {App} app @param {Manifest} manifest */
function children(app, { children }) {
  if (children.length === 0) return nothing
  return html`<details>
    <summary>
      ${children.length === 1 ? '1 manifest' : `${children.length} manifests`} in this index
    </summary>
    <ul class="list">
      ${children.map(
        ({ digest, platform, artifactType, mediaType }) =>
          html`<li>
            ${platform ? platformOf(platform) : kindOf(artifactType ?? mediaType)}
            ${digestOf(app, digest)}
          </li>`,
      )}
    </ul>
  </details>`
}

/** @param {App} app @param {Repository} repository @param {Tag} tag @param {Manifest} manifest */
function deletions(app, repository, tag, { digest }) {
  const { name } = tag
  return html`<div class="buttons">
    <button aria-label="Remove the tag ${name}" @click=${() => untag(app, repository, tag)}>
      Remove the tag…
    </button>
    <button
      class="danger"
      aria-label="Delete what ${name} leads to"
      @click=${() => remove(app, repository, tag, digest)}
    >
      Delete…
    </button>
  </div>`
}

/** @param {App} app @param {Repository} repository @param {Tag} tag */
async function untag(app, repository, tag) {
  const title = `Remove the tag ${tag.name}?`
  const text = 'What it leads to stays, and can still be pulled by its digest.'
  if (!(await asked({ title, text, doing: 'Remove' }))) return
  await trying(app, tag, async () => {
    await repository.untag(tag)
    app.say(`The tag ${tag.name} was removed`)
  })
}

/** @param {App} app @param {Repository} repository @param {Tag} tag @param {string} digest */
async function remove(app, repository, tag, digest) {
  const others = repository.tags
    .filter((other) => other !== tag && other.manifest?.digest === digest)
    .map(({ name }) => name)
  const also = others.length === 0 ? '' : ` So do its other tags: ${others.join(', ')}.`
  const text = `It goes for good, with the bytes that nothing else needs.${also}`
  if (!(await asked({ title: `Delete what ${tag.name} leads to?`, text, doing: 'Delete' }))) return
  await trying(app, tag, async () => {
    await repository.remove(digest)
    app.say(`What ${tag.name} led to was deleted`)
  })
}

/** Told where it happened. @param {App} app @param {Tag} tag @param {() => Promise<void>} work */
async function trying(app, tag, work) {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    tag.problem = error.sentence
    app.changed()
  }
}
