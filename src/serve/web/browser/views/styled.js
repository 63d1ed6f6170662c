import { nothing } from 'lit-html'
import { Directive, directive } from 'lit-html/directive.js'
/** @import { ElementPart } from 'lit-html/directive.js' */

/** @typedef {Readonly<Record<string, string>>} Rules */

class Styled extends Directive {
  /** @param {Rules} _rules */
  render(_rules) {
    return nothing
  }

  /** @param {ElementPart} part @param {[Rules]} rules @override */
  update({ element }, [rules]) {
    if (!(element instanceof HTMLElement)) return nothing
    for (const [name, value] of Object.entries(rules)) element.style.setProperty(name, value)
    return nothing
  }
}

/** Styles of an element that change with what is shown: by script, as the content policy allows no style attributes. */
export const styled = directive(Styled)
