export type Action = 'pull' | 'push' | 'delete'

/** Who asks, and what that one may do: role, rules of the repository and scope of an issued token, taken together. */
export interface Caller {
  /** null for one without credentials. */
  readonly name: string | null
  may(action: Action, repository: string): boolean
  /**
   * As `may`, whatever the shown token is for: clients ask for a token for one repository and then mount from another, or
   * list them all, with it.
   */
  entitled(action: Action, repository: string): boolean
  /** Whether the catalog of repositories may be asked for; each of them is still looked at by `may`. */
  mayList(): boolean
}

/** With `SLIPWAY_AUTH=none`, and on loopback as long as there are no credentials. */
export const everyone: Caller = {
  name: null,
  may: () => true,
  entitled: () => true,
  mayList: () => true,
}
