import type { Offer, Option, Place } from './places.ts'

/** A script to be sourced; it takes bash 3.2 and later. */
export function bashScript(places: readonly Place[]): string {
  const paths = places.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]))
  return `# Completion of slipway for bash; made by: slipway completion bash
_slipway() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path= next i
  # --option=value is three words.
  if [ "$cur" = = ]; then cur=
  elif [ "$prev" = = ]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${path:+$path }\${COMP_WORDS[i]}"
    case "$next" in ${paths.join('|')}) path=$next ;; esac
  done
  COMPREPLY=()
  case "$path:$prev" in
${places.flatMap(valuesAt).join('')}  esac
  case "$path:$cur" in
${places.map(optionsAt).join('')}${places.map(operandsAt).join('')}  esac
}
_slipway_words() { COMPREPLY+=($(compgen -W "$1" -- "$cur")); }
_slipway_images() { COMPREPLY+=($("\${COMP_WORDS[0]}" completion names "$cur" 2>/dev/null </dev/null)); }
_slipway_files() { compopt -o default 2>/dev/null || COMPREPLY+=($(compgen -f -- "$cur")); }
complete -F _slipway slipway
`
}

function valuesAt({ path, options }: Place): string[] {
  return options.flatMap(({ name, short, offer }) => {
    if (!offer) return []
    const names = [`--${name}`, ...(short === null ? [] : [`-${short}`])]
    const patterns = names.map((each) => `'${path}:${each}'`).join('|')
    return [`    ${patterns}) ${calls(offer)}; return ;;\n`]
  })
}

function optionsAt({ path, options }: Place): string {
  return `    '${path}:-'*) _slipway_words '${options.flatMap(namesOf).join(' ')}' ;;\n`
}

function operandsAt({ path, commands, operands }: Place): string {
  const words = [...commands.map(({ name }) => name), ...operands.words]
  return `    '${path}:'*) ${calls({ ...operands, words })} ;;\n`
}

function calls({ words, images, files }: Offer): string {
  const all = [
    ...(words.length > 0 ? [`_slipway_words '${words.join(' ')}'`] : []),
    ...(images ? ['_slipway_images'] : []),
    ...(files ? ['_slipway_files'] : []),
  ]
  return all.length > 0 ? all.join('; ') : ':'
}

export function namesOf({ name, short }: Option): readonly string[] {
  return short === null ? [`--${name}`] : [`--${name}`, `-${short}`]
}
