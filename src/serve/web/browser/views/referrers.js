import { html, nothing } from 'lit-html'
import { kindOf } from '../artifact-words.js'
import { size } from '../words.js'
import { annotationsOf, digestOf } from './digest.js'
/** @import { App } from '../app.js' */
/** @import { Referrer, Referrers, Repository } from '../repository.js' */
/** @import { TemplateResult } from 'lit-html' */

/**
 * What refers to a manifest, as a tree: what refers to those is asked for when somebody opens it.
 * @param {App} app @param {Repository} repository
 * @param {{ referrers: Referrers }} subject @param {string} digest
 * @returns {TemplateResult | typeof nothing}
 */
export function referrersOf(app, repository, subject, digest) {
  const { referrers } = subject
  if (!referrers) return nothing
  const { items, hasMore, problem } = referrers
  if (problem !== '') return html`<p class="bad" role="alert">${problem}</p>`
  if (items.length === 0) return html`<p class="hint">Nothing refers to it.</p>`
  return html`
    <details>
      <summary>
        ${hasMore ? `More than ${items.length} referrers` : items.length === 1 ? '1 referrer' : `${items.length} referrers`}
      </summary>
      <ul class="tree">
        ${items.map((each) => html`<li>${one(app, repository, each)}</li>`)}
      </ul>
      ${
        hasMore
          ? html`<button @click=${() => repository.refer(subject, digest)}>More referrers</button>`
          : nothing
      }
    </details>
  `
}

/** @param {App} app @param {Repository} repository @param {Referrer} referrer */
function one(app, repository, referrer) {
  const { digest, artifactType, mediaType, size: bytes, annotations } = referrer.descriptor
  const type = artifactType ?? mediaType
  return html`
    <p><strong>${kindOf(type)}</strong> <span class="hint">${type} · ${size(bytes)}</span></p>
    ${digestOf(app, digest)} ${annotationsOf(annotations ?? {})}
    ${
      referrer.referrers
        ? referrersOf(app, repository, referrer, digest)
        : html`<button
            class="small"
            aria-label="What refers to ${digest}"
            @click=${() => repository.refer(referrer, digest)}
          >
            What refers to this?
          </button>`
    }
  `
}
