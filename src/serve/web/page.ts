import { html, raw } from 'hono/html'

export type PageOptions = {
  readonly version: string
  /** Where the assets lie, seen from the page. */
  readonly assets: string
  readonly importMap: string
  /** Of those that it begins with, among the assets. */
  readonly modules: readonly string[]
  /** Whether callers have to say who they are. */
  readonly asksForCallers: boolean
}

/** The one page: a shell that its modules fill. */
export function page(options: PageOptions) {
  const { version, assets, importMap, modules, asksForCallers } = options
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>Slipway</title>
        <link rel="icon" href="${assets}/page/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="${assets}/page/style.css" />
        ${raw(`<script type="importmap">${importMap}</script>`)}
        ${modules.map((path) => html`<link rel="modulepreload" href="${assets}/${path}" />`)}
        <script type="module" src="${assets}/page/main.js"></script>
      </head>
      <body
        data-version="${version}"
        data-assets="${assets}"
        data-callers="${asksForCallers ? 'known' : 'any'}"
      >
        <div id="app"></div>
        <noscript>
          <p>
            This page needs JavaScript. Without it: <a href="docs">the page about the API</a>
            tells what can be asked with curl.
          </p>
        </noscript>
      </body>
    </html>`
}
