import { html } from 'hono/html'
import { describeFailures } from '../../../errors.ts'
import type { Described } from './document.ts'
import { place } from './curl.ts'
import { operationView } from './operation.ts'
import { fieldsOf, typeOf, type Html } from './schema.ts'

export type DocsOptions = {
  readonly described: Described
  /** Where the assets lie, seen from the page. */
  readonly assets: string
}

/** All calls on one page, so that a browser's own search finds everything. It works without its script. */
export function docsPage({ described, assets }: DocsOptions): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>The API of Slipway</title>
        <link rel="icon" href="${assets}/page/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="${assets}/page/style.css" />
        <link rel="stylesheet" href="${assets}/page/docs.css" />
        <script type="module" src="${assets}/page/docs.js"></script>
      </head>
      <body class="docs">
        <a class="skip" href="#main">To the contents</a>
        <header>
          <h1>The API of Slipway ${described.version}</h1>
          <nav aria-label="Elsewhere">
            <a href="./">Images</a> <a href="openapi.json">openapi.json</a>
          </nav>
        </header>
        <nav class="index" aria-label="Calls">${indexView(described)}</nav>
        <main id="main" tabindex="-1">
          ${beginning(described)} ${groupsView(described)} ${schemasView(described)}
          ${failuresView()}
        </main>
      </body>
    </html>`
}

function indexView({ groups }: Described): Html {
  return html`${groups.map(
      ({ name, operations }) =>
        html`<details open>
          <summary>${name}</summary>
          <ul>
            ${operations.map(({ operationId: id }) => html`<li><a href="#${id}">${id}</a></li>`)}
          </ul>
        </details>`,
    )}
    <ul>
      <li><a href="#schemas">Schemas</a></li>
      <li><a href="#failures">Errors</a></li>
    </ul>`
}

function beginning({ description }: Described): Html {
  return html`<p>${description} Its commands and the page itself ask for nothing else.</p>
    <p>The lines below are for a shell that knows where the service is and who asks:</p>
    <pre tabindex="0" data-line>export SLIPWAY_URL=${place} SLIPWAY_TOKEN=…</pre>
    <p>
      Where no credentials are configured, everybody may do everything, and no token is needed.
    </p>`
}

function groupsView({ groups, schemas }: Described): readonly Html[] {
  return groups.map(
    ({ name, description, operations }) =>
      html`<h2>${name}</h2>
        <p>${description}</p>
        ${operations.map((each) => operationView(each, schemas))}`,
  )
}

function schemasView({ schemas }: Described): Html {
  return html`<h2 id="schemas">Schemas</h2>
    ${Object.entries(schemas).map(
      ([name, schema]) =>
        html`<section class="call" id="schema-${name}">
          <h3>${name}</h3>
          ${schema.description === undefined ? '' : html`<p>${schema.description}</p>`}
          ${schema.properties ? '' : html`<p>${typeOf(schema)}</p>`} ${fieldsOf(schema)}
        </section>`,
    )}`
}

const advice = {
  refusal: 'Change the request: the detail says how.',
  flaw: 'The bytes are bad. The same ones fail again: bring others.',
  outage: 'Something that is needed failed. Ask again later, not before Retry-After.',
  bug: 'The service is wrong. Its log tells more, by the X-Request-Id of the answer.',
} as const

function failuresView(): Html {
  return html`<h2 id="failures">Errors</h2>
    <p>
      Each has a <code>code</code> that stays, in problem+json, and in the condition of an image
      that failed; the registry has codes of its own beside it.
    </p>
    ${Object.entries(advice).map(([kind, words]) => {
      const those = describeFailures().filter((each) => each.kind === kind)
      return html`<h3>${words}</h3>
        <p>${those.map(({ code, status }) => html`<code>${code}</code> ${status} `)}</p>`
    })}`
}
