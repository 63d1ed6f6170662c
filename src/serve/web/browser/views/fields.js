/** What stands in the field that an event is of, without blanks around it. @param {Event} event */
export function textOf({ target }) {
  return target instanceof HTMLInputElement ? target.value.trim() : ''
}
