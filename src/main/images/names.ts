import { Refusal } from '../../errors.ts'
import { complain } from '../command.ts'

/** @throws Refusal unless there is exactly one */
export function oneName(operands: readonly string[], command: string): string {
  const [name, ...others] = operands
  if (name !== undefined && others.length === 0) return name
  throw new Refusal('UNSUPPORTED', `give exactly one name; try slipway ${command} --help`)
}

/** @throws Refusal when there is none; each once */
export function someNames(operands: readonly string[], command: string): readonly string[] {
  if (operands.length > 0) return [...new Set(operands)]
  throw new Refusal('UNSUPPORTED', `give one name or several; try slipway ${command} --help`)
}

/** @returns the exit code */
export function missing(name: string): 1 {
  complain(`there is no image "${name}"`)
  return 1
}
