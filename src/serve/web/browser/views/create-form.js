import { html, nothing } from 'lit-html'
import { area, field } from './field.js'
/** @import { Credentials, Way } from '../draft.js' */
/** @import { Form } from './field.js' */
/** @import { TemplateResult } from 'lit-html' */

/** Fields of an image that the service fetches. @param {Way} way @param {Form} form */
export function fields(way, form) {
  return way === 'url' ? ofUrl(form) : ofRegistry(form)
}

/** @param {Form} form */
function ofUrl(form) {
  return html`
    ${field(form, {
      field: 'place',
      label: 'URL',
      type: 'url',
      example: 'https://example.com/ubuntu.img',
      hint: 'Of the disk or ISO itself; it may be packed (gz, xz, zst, bz2, tar).',
    })}
    ${name(form)}
    ${more(
      'checksum, sign-in, certificates',
      html`
        ${field(form, {
          field: 'checksum',
          label: 'Checksum',
          hint: 'As the publisher tells it: SHA-256, SHA-512, SHA-1 or MD5. The import fails where it differs.',
        })}
        ${credentials(form, ['none', 'password', 'token'])}
        ${area(form, {
          field: 'headers',
          label: 'Further headers',
          example: 'X-Api-Key: secret',
          hint: 'One a line, as Name: value. They are never shown again.',
        })}
        ${certificates(form)}
      `,
    )}
  `
}

/** @param {Form} form */
function ofRegistry(form) {
  return html`
    ${field(form, {
      field: 'place',
      label: 'Container image',
      example: 'registry.example.com/team/image:tag',
      hint: 'One with a disk under /disk, as KubeVirt has them.',
    })}
    ${name(form)}
    ${more(
      'sign-in, platform, certificates',
      html`
        ${credentials(form, ['none', 'password'])}
        ${field(form, {
          field: 'platform',
          label: 'Platform',
          example: 'linux/amd64',
          hint: 'Of an image for several platforms.',
        })}
        ${certificates(form)}
      `,
    )}
  `
}

/** @param {Form} form */
function name(form) {
  return field(form, {
    field: 'name',
    label: 'Name',
    hint: 'What it is called here: lower-case letters, digits and hyphens.',
  })
}

/** What few people need. @param {string} what it is @param {TemplateResult} contents */
function more(what, contents) {
  return html`<details class="more">
    <summary>More: ${what}</summary>
    ${contents}
  </details>`
}

/** @type {Record<Credentials, string>} */
const kinds = { none: 'Nothing', password: 'A user name and a password', token: 'A token (Bearer)' }

/** @param {Form} form @param {readonly Credentials[]} offered */
function credentials(form, offered) {
  const chosen = form.draft.credentials
  return html`
    <div class="field">
      <label for="create-credentials">What the source asks for</label>
      <select
        id="create-credentials"
        @change=${(/** @type {Event} */ { target }) => {
          if (target instanceof HTMLSelectElement) form.changed('credentials', target.value)
        }}
      >
        ${offered.map((kind) => html`<option value=${kind} ?selected=${kind === chosen}>${kinds[kind]}</option>`)}
      </select>
    </div>
    ${chosen === 'password' ? password(form) : nothing}
    ${
      chosen === 'token'
        ? field(form, {
            field: 'token',
            label: 'Token',
            type: 'password',
            hint: 'It is never shown again.',
          })
        : nothing
    }
  `
}

/** @param {Form} form */
function password(form) {
  return html`
    ${field(form, { field: 'username', label: 'User name' })}
    ${field(form, {
      field: 'password',
      label: 'Password',
      type: 'password',
      hint: 'It is never shown again.',
    })}
  `
}

/** @param {Form} form */
function certificates(form) {
  return area(form, {
    field: 'certificates',
    label: 'Certificates to trust for this source',
    example: '-----BEGIN CERTIFICATE-----',
    hint: 'For a source whose certificate is signed by an authority of your own (PEM).',
  })
}
