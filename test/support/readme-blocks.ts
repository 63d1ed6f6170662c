/** In a terminal; as what runs on in another one; in a terminal, once that one is stopped. */
export type Way = 'run' | 'service' | 'stopped'

/** A fenced block of a document. */
export type Block = {
  /** Of its fence, from 1. */
  readonly line: number
  readonly text: string
  /** Null when it is not run. */
  readonly way: Way | null
  /** Why it is not run, null when nothing is said. */
  readonly reason: string | null
}

export type Document = {
  readonly blocks: readonly Block[]
  /** Lines with a reason that belongs to no block. */
  readonly lost: readonly number[]
}

const fence = /^( *)```(.*)$/
const comment = /^ *<!-- not run: (.+) -->$/

/**
 * The fenced blocks of a Markdown text. `sh run`, `sh run service` and `sh run stopped` behind the fence say how one is run;
 * a comment in the line before, `<!-- not run: … -->`, why one is not.
 * @throws Error for a fence that does not end
 */
export function readBlocks(markdown: string): Document {
  const lines = markdown.split('\n')
  const blocks: Block[] = []
  const lost: number[] = []
  for (let at = 0; at < lines.length; at += 1) {
    const reason = comment.exec(lines[at] ?? '')?.[1]
    const begin = reason === undefined ? at : at + 1
    const [, indent, info = ''] = fence.exec(lines[begin] ?? '') ?? []
    if (indent !== undefined) {
      const end = lines.indexOf(`${indent}\`\`\``, begin + 1)
      if (end < 0) throw new Error(`the block in line ${begin + 1} does not end`)
      const body = lines.slice(begin + 1, end).map((line) => line.slice(indent.length))
      const way = wayOf(info, begin + 1)
      blocks.push({ line: begin + 1, text: body.join('\n'), way, reason: reason ?? null })
      at = end
    } else if (reason !== undefined) lost.push(at + 1)
  }
  return { blocks, lost }
}

function wayOf(info: string, line: number): Way | null {
  const [, mark, more = 'run', ...rest] = info.split(' ')
  if (mark === undefined) return null
  const isKnown = more === 'run' || more === 'service' || more === 'stopped'
  if (mark === 'run' && isKnown && rest.length === 0) return more
  throw new Error(`line ${line}: "${info}" is no mark of a block`)
}
