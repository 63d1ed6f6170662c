const mebibyte = 1_048_576
/** Bytes of one request: the least and the most. */
const [least, most] = [4 * mebibyte, 64 * mebibyte]

/** The first part of a file. */
export const firstPart = least

/**
 * A browser by itself sends a request anew whose connection broke, from its beginning, though the service has some of it. So a
 * file goes in parts, each of what goes through in about a second: not more than that is ever sent in vain.
 * @param {number} before bytes of the part before @param {number} speed bytes per second
 */
export function nextPart(before, speed) {
  return Math.round(Math.min(Math.max(speed, least), most, before * 2))
}
