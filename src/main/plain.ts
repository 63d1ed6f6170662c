/**
 * Control characters, and those that turn the direction of writing: what strangers wrote must not move the cursor, or read
 * otherwise than it is.
 */
export const unseen = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu

/** A text on one line, as a terminal may be shown it. */
export function plain(text: string): string {
  return text.replaceAll(unseen, (character) => (/\s/.test(character) ? ' ' : '\uFFFD'))
}

/** So that it takes no more than `width` characters. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`
}
