import { isUtf8 } from 'node:buffer'
import type { Windows } from './windows.ts'

/** Enough to know a text; a disk has a byte that no text has among so many. */
const sampleLength = 4096
/** A login page says so somewhere in its form, behind styles and scripts. */
const pageLength = 131_072

/** A comment ends at its first end, so that there is one way only to read a row of them. */
const html =
  /^\s*(?:<!--(?:(?!-->)[\s\S])*-->\s*)*<(?:!doctype\s+html|html|head|body|script|meta|title)\b/i
const login = /type=["']?password|sign[ -]?in|log[ -]?in|\bsso\b|\bsaml/i

/** What a text is, as a refusal; null when the bytes are no text. */
export function textProblem(windows: Windows): string | null {
  const sample = decode(windows.upTo(0, sampleLength))
  if (sample === null) return null
  if (html.test(sample)) return htmlProblem(windows)
  const start = sample.trimStart()
  if (start.includes('<Parallels_disk_image')) {
    return 'the file only describes a Parallels disk that lies in other files; convert it: prl_convert'
  }
  return `the file is no disk image but ${kindOf(start)}; send a disk image or an ISO`
}

function htmlProblem(windows: Windows): string {
  const page = decode(windows.upTo(0, pageLength)) ?? ''
  const way = 'open the address in a browser and take the address of the file itself'
  if (!login.test(page)) return `the file is no disk image but an HTML page; ${way}`
  return (
    'the file is no disk image but an HTML page that asks to log in; ' +
    `give credentials for the address, or ${way}`
  )
}

function kindOf(start: string): string {
  if (start.startsWith('<?xml') || /^<[a-z][\w:.-]*[\s/>]/i.test(start)) return 'an XML document'
  if (/^(?:\{\s*["}]|\[\s*(?:[[{"\]\d]|$))/.test(start)) return 'a JSON document'
  if (start.startsWith('#!')) return 'a script'
  return 'a text'
}

/** The text of the bytes; null when they are none. UTF-8, Latin-1, and UTF-16 where it begins with its mark. */
function decode(bytes: Buffer): string | null {
  if (bytes.length === 0) return null
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return printable(bytes.toString('utf16le', 2))
  if (isUtf8(wholeCharacters(bytes)))
    return printable(bytes.toString('utf8').replace(/^\ufeff/, ''))
  const ascii = bytes.filter((byte) => byte < 0x80).length
  return ascii / bytes.length < 0.75 ? null : printable(bytes.toString('latin1'))
}

/** Without the character that the end of the sample may have cut: up to three bytes. */
function wholeCharacters(bytes: Buffer): Buffer {
  const cuts = [0, 1, 2, 3].map((cut) => bytes.subarray(0, bytes.length - cut))
  return cuts.find((part) => isUtf8(part)) ?? bytes
}

function printable(text: string): string | null {
  // oxlint-disable-next-line no-control-regex -- control characters are what tells a disk from a text
  return /[\0-\x07\x0e-\x1a\x1c-\x1f\x7f]/.test(text) ? null : text
}
