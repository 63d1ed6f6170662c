import { none, outputOf, withSettings, type Command } from './command.ts'

export const command: Command = {
  help: `slipway gc [--dry-run] [--output json|table]

Removes what nothing needs: blobs that nothing keeps, blobs that the catalog does not know and what crashes have left half
written, the last two no younger than a day. With --dry-run it counts and removes nothing. Deleting an image frees at once
without it, and the service does this once a day.

Asks the service at SLIPWAY_URL, with the token in SLIPWAY_TOKEN or SLIPWAY_TOKEN_FILE. Without SLIPWAY_URL it works on
SLIPWAY_DATA_DIR itself when no service runs on it, and else asks the one at SLIPWAY_LISTEN.
Exit code 1 when it has not come to its end.
`,
  options: { 'dry-run': { type: 'boolean' } },
  async run(operands, values) {
    none(operands, 'gc')
    const output = outputOf(values)
    const { maintain } = await import('./maintain.ts')
    const options = values['dry-run'] === true ? { dryRun: true } : {}
    const errand = { kind: 'gc', options, asked: options } as const
    return await maintain(errand, output, await withSettings())
  },
}
