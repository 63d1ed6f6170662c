/** @import { App } from './app.js' */
/** @import { Place } from './place.js' */

const views = {
  images: 'Images',
  image: 'Images',
  storage: 'Storage',
  repositories: 'Repositories',
  repository: 'Repositories',
}

/** What a place is called, the most telling first. @param {Place} place */
export function titleOf({ view, name }) {
  return (view === 'image' || view === 'repository') && name !== ''
    ? `${name} – ${views[view]}`
    : views[view]
}

/**
 * Whoever goes to another place is taken there: its title is in the tab, and the focus is at the start of it, where a screen
 * reader says what it is called. Other words in the address at the same place leave the focus where it is.
 * @param {App} app
 */
export function followArrivals(app) {
  let last = titleOf(app.place)
  entitle(last)
  addEventListener('hashchange', () => {
    const title = titleOf(app.place)
    entitle(title)
    if (title === last) return
    last = title
    app.changed()
    // Behind the drawing that was just asked for. What has the focus already was put there on purpose.
    requestAnimationFrame(() => {
      const main = document.querySelector('main')
      if (!main?.contains(document.activeElement)) main?.focus()
      main?.scrollTo({ top: 0 })
    })
  })
}

/** @param {string} title */
function entitle(title) {
  document.title = `${title} – Slipway`
}
