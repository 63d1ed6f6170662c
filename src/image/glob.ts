/** What a glob is made of: a text as it is, `*` within one part of a path, `**` over several. */
type Piece = { readonly kind: 'text'; readonly text: string } | { readonly kind: '*' | '**' }

export type Glob = {
  matches(path: string): boolean
  /** How many characters must be as they are: the more, the closer the match. */
  readonly literals: number
  readonly crossesParts: boolean
}

/** `*` stands for any characters but slashes, `**` for any at all. Nothing is tried twice, whatever the glob. */
export function compileGlob(pattern: string): Glob {
  const pieces = piecesOf(pattern)
  const [first] = pieces
  const prefix = first?.kind === 'text' ? first.text : ''
  return {
    // Most rules are for other repositories, and their beginnings tell.
    matches: (path) => path.startsWith(prefix) && fits(pieces, path),
    literals: pieces.reduce(
      (sum, piece) => sum + (piece.kind === 'text' ? piece.text.length : 0),
      0,
    ),
    crossesParts: pieces.some(({ kind }) => kind === '**'),
  }
}

function piecesOf(pattern: string): readonly Piece[] {
  return [...pattern.matchAll(/\*\*|\*|[^*]+/g)].map(([text]) =>
    text === '*' || text === '**' ? { kind: text } : { kind: 'text', text },
  )
}

/** Follows all ways at once: after each piece, the set of places in the path where it may have ended. */
function fits(pieces: readonly Piece[], path: string): boolean {
  let ends = new Set([0])
  for (const piece of pieces) ends = after(piece, path, ends)
  return ends.has(path.length)
}

function after(piece: Piece, path: string, starts: ReadonlySet<number>): Set<number> {
  const ends = new Set<number>()
  if (piece.kind === 'text') {
    for (const start of starts) {
      if (path.startsWith(piece.text, start)) ends.add(start + piece.text.length)
    }
    return ends
  }
  let isOpen = false
  for (let at = 0; at <= path.length; at += 1) {
    if (piece.kind === '*' && path[at - 1] === '/') isOpen = false
    if (starts.has(at)) isOpen = true
    if (isOpen) ends.add(at)
  }
  return ends
}
