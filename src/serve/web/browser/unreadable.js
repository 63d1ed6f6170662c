import { Problem } from './api.js'

/** @param {File} file */
export function unreadable({ name }) {
  return new Problem(
    `${name} was changed, moved or deleted on this computer since it was chosen; choose it again`,
    { code: 'UNREADABLE', status: -1 },
  )
}
