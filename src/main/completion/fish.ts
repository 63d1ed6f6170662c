import type { Offer, Option, Place } from './places.ts'

/** A script to be sourced; it takes fish 3 and later. */
export function fishScript(places: readonly Place[]): string {
  const paths = places.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]))
  return `# Completion of slipway for fish; made by: slipway completion fish
set -g __slipway_paths ${paths.join(' ')}
function __slipway_at
    set -l at ''
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        set -l next (string trim -- "$at $word")
        contains -- $next $__slipway_paths; and set at $next
    end
    test "$at" = "$argv[1]"
end
function __slipway_images
    set -l words (commandline -opc)
    $words[1] completion names (commandline -ct) 2>/dev/null </dev/null
end
complete -c slipway -e
complete -c slipway -f
${places.flatMap(linesAt).join('\n')}
`
}

function linesAt({ path, commands, options, operands }: Place): string[] {
  const start = `complete -c slipway -n '__slipway_at "${path}"'`
  return [
    ...commands.map(({ name, summary }) => `${start} -a ${name} -d ${quoted(summary)}`),
    ...(isNothing(operands) ? [] : [`${start}${argumentsOf(operands)}`]),
    ...options.map((option) => start + optionOf(option)),
  ]
}

function optionOf({ name, short, offer }: Option): string {
  const names = ` -l ${name}${short === null ? '' : ` -s ${short}`}`
  return offer ? `${names} -r${argumentsOf(offer)}` : names
}

function argumentsOf({ words, images, files }: Offer): string {
  const all = [...words, ...(images ? ['(__slipway_images)'] : [])]
  return `${files ? ' -F' : ' -f'}${all.length > 0 ? ` -a ${quoted(all.join(' '))}` : ''}`
}

function isNothing({ words, images, files }: Offer): boolean {
  return words.length === 0 && !images && !files
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, (character) => `\\${character}`)}'`
}
