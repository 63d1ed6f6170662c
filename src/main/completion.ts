import { imagePages } from '../client/images.ts'
import { Failure, Refusal } from '../errors.ts'
import { nameProblem } from '../image/name.ts'
import { bashScript } from './completion/bash.ts'
import { fishScript } from './completion/fish.ts'
import { placesIn, type Place } from './completion/places.ts'
import { zshScript } from './completion/zsh.ts'
import { print, type Command } from './command.ts'
import { entries } from './commands.ts'
import { openClient } from './images/client.ts'

/** Whoever presses a key waits no longer, in milliseconds. */
const within = 1000

const scripts: { readonly [shell: string]: (places: readonly Place[]) => string } = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}

export const command: Command = {
  help: `slipway completion bash|zsh|fish
slipway completion names [START]

Prints what makes a shell complete the commands, their options and the names of images:

  bash   source <(slipway completion bash)            in ~/.bashrc
  zsh    source <(slipway completion zsh)             in ~/.zshrc, after compinit
  fish   slipway completion fish | source             in ~/.config/fish/config.fish

The shell asks for names by the second one, which is silent when the service at SLIPWAY_URL does not answer within a second.
`,
  options: {},
  async run(operands) {
    const [what = '', start = '', ...others] = operands
    if (what === 'names' && others.length === 0) return print(await namesFrom(start))
    const script = scripts[what]
    if (script && operands.length === 1) return print(script(await placesIn(entries)))
    throw new Refusal('UNSUPPORTED', 'give bash, zsh or fish; try slipway completion --help')
  },
}

/** A line for each image whose name begins so, as far as a second reaches. */
async function namesFrom(start: string): Promise<string> {
  const late = AbortSignal.timeout(within)
  const names: string[] = []
  try {
    const { rest } = await openClient()
    for await (const page of imagePages(rest, {}, late)) {
      names.push(...page.map(({ name }) => name).filter((name) => name.startsWith(start)))
      if (beyond(page.at(-1)?.name, start)) break
    }
  } catch (error) {
    // A message would stand in the middle of what is typed.
    if (!late.aborted && !(error instanceof Failure)) throw error
  }
  // A shell is told no name that it could take for something else.
  return names.flatMap((name) => (nameProblem(name) === null ? [`${name}\n`] : [])).join('')
}

/** They come by name. */
function beyond(last: string | undefined, start: string): boolean {
  return last !== undefined && last > start && !last.startsWith(start)
}
