/** What is shown to a registry, or to whoever issues its tokens. */
export type Credentials =
  | { readonly kind: 'login'; readonly username: string; readonly password: string }
  /** Is changed for tokens: a refresh token of OAuth. */
  | { readonly kind: 'identity'; readonly token: string }
  /** Is a token already. */
  | { readonly kind: 'bearer'; readonly token: string }

/** By docker's convention the name `<token>` says that the password is an identity token. */
export function ofLogin(username: string, password: string): Credentials | null {
  if (username === '' && password === '') return null
  if (username === identityName) return { kind: 'identity', token: password }
  return { kind: 'login', username, password }
}

export const identityName = '<token>'
