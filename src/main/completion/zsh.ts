import { namesOf } from './bash.ts'
import type { Offer, Place } from './places.ts'

/** A script to be sourced, or a file of $fpath. */
export function zshScript(places: readonly Place[]): string {
  const paths = places.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]))
  return `#compdef slipway
# Completion of slipway for zsh; made by: slipway completion zsh
_slipway() {
  local cur=\${words[CURRENT]} prev=\${words[CURRENT-1]} at= next word
  local -a found
  if [[ $cur == --*=* ]]; then prev=\${cur%%=*}; cur=\${cur#*=}; compset -P '*='; fi
  for word in "\${(@)words[2,CURRENT-1]}"; do
    next="\${at:+$at }$word"
    case "$next" in (${paths.join('|')}) at=$next ;; esac
  done
  case "$at:$prev" in
${places.flatMap(valuesAt).join('')}  esac
  case "$at:$cur" in
${places.map(optionsAt).join('')}${places.map(operandsAt).join('')}  esac
}
_slipway_images() { compadd -- \${(f)"$("\${words[1]}" completion names "$cur" 2>/dev/null </dev/null)"} }
if [[ $funcstack[1] == _slipway ]]; then _slipway "$@"; else compdef _slipway slipway; fi
`
}

function valuesAt({ path, options }: Place): string[] {
  return options.flatMap((option) => {
    if (!option.offer) return []
    const patterns = namesOf(option).map((name) => `'${path}:${name}'`)
    return [`    (${patterns.join('|')}) ${calls(option.offer).join('; ') || ':'}; return ;;\n`]
  })
}

function optionsAt({ path, options }: Place): string {
  return `    ('${path}:-'*) compadd -- ${options.flatMap(namesOf).join(' ')} ;;\n`
}

function operandsAt({ path, commands, operands }: Place): string {
  const all = [...described(commands), ...calls(operands)]
  return `    ('${path}:'*) ${all.join('; ') || ':'} ;;\n`
}

function described(commands: Place['commands']): readonly string[] {
  if (commands.length === 0) return []
  const found = commands.map(({ name, summary }) => quoted(`${name}:${summary}`))
  return [`found=(${found.join(' ')}); _describe command found`]
}

function calls({ words, images, files }: Offer): readonly string[] {
  return [
    ...(words.length > 0 ? [`compadd -- ${words.join(' ')}`] : []),
    ...(images ? ['_slipway_images'] : []),
    ...(files ? ['_files'] : []),
  ]
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
