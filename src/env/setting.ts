/** One setting: the README's table, `slipway config` and the refusal of a bad value are made from it. */
export type Setting<Value> = {
  readonly variable: string
  /** Another name that other programs know it by, and that comes first. */
  readonly alias?: string
  /** As it would be written in the environment; null when there is none. */
  readonly fallback: string | null
  /** Ends the sentence "…; allowed: ". */
  readonly allowed: string
  readonly meaning: string
  /** The value of a text, undefined when the text is not allowed. */
  readonly read: (text: string) => Value | undefined
  /** The text as it may be shown; without it, as it is. */
  readonly show?: (text: string) => string
}

export type ValueOf<Row> = Row extends Setting<infer Value> ? Value : never

export type Environment = { readonly [variable: string]: string | undefined }

/** A row whose value may be missing. */
export const optional = <Value>(
  variable: string,
  allowed: string,
  meaning: string,
  read: (text: string) => Value | undefined,
): Setting<Value | null> => ({ variable, fallback: null, allowed, meaning, read })

/** As `optional`, and never shown. */
export const secret = <Value>(
  variable: string,
  allowed: string,
  meaning: string,
  read: (text: string) => Value | undefined,
): Setting<Value | null> => ({
  ...optional(variable, allowed, meaning, read),
  show: () => '[secret]',
})

export const required = <Value>(
  variable: string,
  fallback: string,
  allowed: string,
  meaning: string,
  read: (text: string) => Value | undefined,
): Setting<Value> => ({ variable, fallback, allowed, meaning, read })

/** What a row is set to. An empty variable counts as not given. */
export function textOf(environment: Environment, row: Setting<unknown>): string | null {
  const { alias, variable, fallback } = row
  return (alias && environment[alias]) || environment[variable] || fallback
}

export function shownText(text: string, { show }: Setting<unknown>): string {
  return show ? show(text) : text
}
