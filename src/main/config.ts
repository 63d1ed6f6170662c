import { complain, none, outputOf, print, wrong, type Command, type Output } from './command.ts'

export const command: Command = {
  help: `slipway config [--output json|table]

Prints every setting with its value and what is allowed. Exit code 2 when one of them is wrong.
`,
  options: {},
  async run(operands, values) {
    none(operands, 'config')
    return await config(outputOf(values))
  },
}

async function config(output: Output): Promise<number> {
  const { describeSettings, readSettings } = await import('../env.ts')
  const rows = describeSettings(process.env)
  const { problems } = readSettings(process.env)
  if (output === 'json') {
    print(`${JSON.stringify(Object.fromEntries(rows.map((row) => [row.variable, row.value])))}\n`)
  } else {
    const width = Math.max(...rows.map(({ variable }) => variable.length))
    for (const { variable, value, meaning, allowed } of rows) {
      print(`${variable.padEnd(width)}  ${value ?? '(none)'}\n`)
      print(`${''.padEnd(width)}    ${meaning}; ${allowed}\n`)
    }
  }
  if (!problems) return 0
  complain(problems.join('\n'))
  return wrong
}
