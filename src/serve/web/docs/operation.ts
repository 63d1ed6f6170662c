import { html } from 'hono/html'
import { curlOf } from './curl.ts'
import {
  referred,
  type Content,
  type Operation,
  type Parameter,
  type Schema,
  type Schemas,
} from './document.ts'
import { exampleOf } from './example.ts'
import { fieldsOf, typeOf, type Html } from './schema.ts'

/** Everything about one call. */
export function operationView(operation: Operation, schemas: Schemas): Html {
  const { operationId: id, method, path, summary, parameters, requestBody, responses } = operation
  return html`<section class="call" id="${id}" aria-labelledby="${id}-name">
    <h3 id="${id}-name">
      <span class="method">${method}</span> <code>${path}</code>
      <a class="anchor" href="#${id}" aria-label="Link to ${id}">#</a>
    </h3>
    <p>${summary}.</p>
    <p class="needs">Needs: ${operation['x-needs']}.</p>
    ${parameters.length > 0 ? parametersView(parameters) : ''}
    ${
      requestBody
        ? html`<h4>Body${requestBody.required ? '' : ', which may be left out'}</h4>
            ${contentView(requestBody.content, schemas)}`
        : ''
    }
    <h4>Answers</h4>
    <dl class="answers">
      ${Object.entries(responses).map(
        ([status, { description, content = {} }]) =>
          html`<div>
            <dt>${status}</dt>
            <dd>${description}. ${answerView(status, content, schemas)}</dd>
          </div>`,
      )}
    </dl>
    ${lineView(id, curlOf(operation))}
  </section>`
}

/** A line that can be copied; its button is there where scripts run. */
function lineView(id: string, line: string): Html {
  return html`<div class="line">
    <pre tabindex="0" data-line>${line}</pre>
    <button type="button" hidden aria-label="Copy the line of ${id}">Copy</button>
  </div>`
}

function parametersView(parameters: readonly Parameter[]): Html {
  return html`<h4>Parameters</h4>
    <dl class="fields">
      ${parameters.map(
        ({ name, in: where, required, schema }) =>
          html`<div>
            <dt><code>${name}</code></dt>
            <dd>
              in the ${where}, ${typeOf(schema)}${required ? html`, <strong>required</strong>` : ''}
              ${schema.description === undefined ? '' : html`<p>${schema.description}</p>`}
            </dd>
          </div>`,
      )}
    </dl>`
}

/** Failures are all alike, so their schema is only linked to. */
function answerView(status: string, content: Content, schemas: Schemas): readonly Html[] {
  return /^[45]/.test(status)
    ? Object.values(content).map(({ schema }) => html`${schema ? typeOf(schema) : ''}`)
    : contentView(content, schemas)
}

function contentView(content: Content, schemas: Schemas): readonly Html[] {
  return Object.entries(content).map(([type, { schema, example }]) => {
    if (!schema) return html`<p class="media">${type}</p>`
    const shown = example ?? exampleOf(schema, schemas)
    const text = typeof shown === 'string' ? shown : JSON.stringify(shown, null, 2)
    return html`<p class="media">${type}: ${typeOf(schema)}</p>
      <details>
        <summary>Fields and an example</summary>
        ${fieldsOf(resolved(schema, schemas))}
        <pre tabindex="0">${text}</pre>
      </details>`
  })
}

/** What a reference leads to, for its fields. */
function resolved(schema: Schema, schemas: Schemas): Schema {
  return schemas[referred(schema) ?? ''] ?? schema
}
