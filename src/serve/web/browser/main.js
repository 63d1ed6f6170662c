import { render } from 'lit-html'
import { App } from './app.js'
import { shell } from './views/shell.js'

const root = document.querySelector('#app')
if (!(root instanceof HTMLElement)) throw new Error('the page has no place for its contents')
const app = new App((it) => render(shell(it), root))
app.changed()
await app.start()
