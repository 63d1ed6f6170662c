import { html, nothing, render } from 'lit-html'
import { App } from './app.js'
import { followArrivals } from './arriving.js'
import { followDrops } from './dropping.js'
import { Uploads } from './uploads.js'
import { Create } from './views/create.js'
import { ImageList } from './views/image-list.js'
import { ImageView } from './views/image.js'
import { Repositories } from './views/repositories.js'
import { sendings } from './views/sendings.js'
import { shell } from './views/shell.js'
import { SignIn } from './views/sign-in.js'
import { Storage } from './views/storage.js'

const root = document.querySelector('#app')
if (!(root instanceof HTMLElement)) throw new Error('the page has no place for its contents')
const app = new App(
  (it) =>
    render(
      shell(it, contents(it), () => signIn.open()),
      root,
    ),
  () => void arrive(),
)
const uploads = new Uploads(app)
const create = new Create(app, uploads)
const list = new ImageList(app)
const image = new ImageView(app, create, list, uploads)
const storage = new Storage(app)
const repositories = new Repositories(app)
const signIn = new SignIn(app)
let isOver = false

/** @param {App} app */
function contents(app) {
  if (app.asksForToken && !signIn.isAbove) return html`${sendings(app, uploads)} ${signIn.view()}`
  return html`
    ${sendings(app, uploads)} ${place(app)} ${create.view()}
    ${signIn.isAbove ? signIn.view() : nothing}
    ${isOver ? html`<div class="drop">${dropWords()}</div>` : nothing}
  `
}

/** @param {App} app */
function place({ place: { view, name }, session }) {
  if (view === 'image') return image.view(name)
  if (view === 'storage') return storage.view()
  if (view === 'repositories' || view === 'repository') return repositories.view()
  const add = session.may('write')
    ? html`<button class="main" @click=${() => create.open('url')}>Add an image</button>`
    : nothing
  return html`<div class="title">
      <h2 id="images-title" tabindex="-1">Images</h2>
      ${add}
    </div>
    ${list.view()}`
}

function dropWords() {
  const name = uploads.expects(1)?.name
  return name === undefined
    ? 'Drop it: each file becomes an image'
    : `Drop it: this is the file for ${name}`
}

/** Whoever comes to a place wants to see it as it is now. */
async function arrive() {
  const { view, name } = app.place
  repositories.leave()
  if (view === 'storage') await storage.look()
  if (view === 'repositories' || view === 'repository') await repositories.look(name)
}

followDrops({
  isWanted: () => app.session.may('write'),
  hovers: (over) => {
    isOver = over
    app.changed()
  },
  drop: ({ files, folders }) => {
    create.close()
    void uploads.drop(files, folders)
  },
})
app.changed()
const started = app.start()
followArrivals(app)
await started
