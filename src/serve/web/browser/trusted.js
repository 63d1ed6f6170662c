/**
 * Scripts come from this page's own assets alone: with trusted types a browser asks for it at every place where one is named.
 */
const policy = window.trustedTypes?.createPolicy('page', {
  createScriptURL(/** @type {string} */ address) {
    if (new URL(address).origin === location.origin) return address
    throw new TypeError(`no script is loaded from ${address}`)
  },
})

/** @param {URL} address @returns {string} for `src` of a script and for workers */
export function scriptAddress({ href }) {
  // A TrustedScriptURL stands for its text wherever one is wanted.
  return policy ? /** @type {any} */ (policy.createScriptURL(href)) : href
}
