import { imageNotes, manifestNotes, type Note } from '../../catalog/notepad.ts'
import { compileGlob } from '../../image/glob.ts'

export const forms = ['cloudevents', 'distribution'] as const
export type Form = (typeof forms)[number]

/** Somebody who wants to be told what happens here. */
export type Subscriber = {
  readonly name: string
  /** May hold secrets in its path and its query. */
  readonly url: URL
  readonly form: Form
  /** Globs of types, of names of images, and of repositories. */
  readonly events: readonly string[]
  readonly images: readonly string[]
  readonly repositories: readonly string[]
  /** Keys of signatures; those of `secretFile` are read for each try, so that they may be replaced. */
  readonly secrets: readonly Buffer[]
  readonly secretFile: string | null
  /** Lines of further headers, read for each try. */
  readonly headersFile: string | null
  /** PEM of certificates that are trusted beside those that are trusted anyway, read for each try. */
  readonly caFile: string | null
  /** Milliseconds for a whole try. */
  readonly timeout: number
}

/** What each form can tell. */
export const typesOf: { readonly [form in Form]: readonly Note['type'][] } = {
  cloudevents: [...imageNotes, ...manifestNotes],
  distribution: manifestNotes,
}

/** Whether a subscriber wants to hear of it. */
export function wants({ form, events, images, repositories }: Subscriber, note: Note): boolean {
  if (!typesOf[form].includes(note.type) || !fits(events, note.type)) return false
  return fits('image' in note ? images : repositories, note.subject)
}

function fits(globs: readonly string[], text: string): boolean {
  return globs.some((glob) => globOf(glob).matches(text))
}

const compiled = new Map<string, ReturnType<typeof compileGlob>>()

/** Every change of the catalog asks for the same few. */
function globOf(text: string) {
  const glob = compiled.get(text) ?? compileGlob(text)
  if (compiled.size >= mostCompiled) compiled.clear()
  compiled.set(text, glob)
  return glob
}

const mostCompiled = 10_000
