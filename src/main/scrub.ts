import { Refusal } from '../errors.ts'
import { none, outputOf, textOf, withSettings, type Command } from './command.ts'

export const command: Command = {
  help: `slipway scrub [--rate 64Mi] [--output json|table]

Reads all blobs again and finds those that are damaged or missing; --rate limits the bytes a second. It never removes anything.

Asks the service at SLIPWAY_URL, with the token in SLIPWAY_TOKEN or SLIPWAY_TOKEN_FILE. Without SLIPWAY_URL it works on
SLIPWAY_DATA_DIR itself when no service runs on it, and else asks the one at SLIPWAY_LISTEN.
Exit code 1 when damage was found, or it has not come to its end.
`,
  options: { rate: { type: 'string' } },
  async run(operands, values) {
    none(operands, 'scrub')
    const output = outputOf(values)
    const { maintain } = await import('./maintain.ts')
    const errand = { kind: 'scrub', ...(await limited(textOf(values, 'rate'))) } as const
    return await maintain(errand, output, await withSettings())
  },
}

/** The limit as the task takes it, and as REST does. */
async function limited(text: string | undefined) {
  if (text === undefined) return { options: {}, asked: {} }
  const { bandwidth } = await import('../env/texts.ts')
  const rate = bandwidth(text)
  if (rate !== undefined) return { options: { rate }, asked: { rate: text } }
  throw new Refusal(
    'UNSUPPORTED',
    `--rate is "${text}"; allowed: bytes a second, at least 1Ki, such as 64Mi`,
  )
}
