/** @import { App } from './app.js' */

/** Copies a text, and says what came of it. @param {App} app @param {string} what such as `The command` @param {string} text */
export async function copy(app, what, text) {
  try {
    await navigator.clipboard.writeText(text)
    app.say(`${what} is in the clipboard`)
  } catch {
    // Browsers give the clipboard to pages over HTTPS and on loopback alone, and may be told not to.
    app.say('The browser does not let this page copy; select the text and copy it yourself')
  }
}
