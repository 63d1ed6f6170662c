import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import bcrypt from 'bcrypt'

/** A line of the tokens file; the token is the name with `-token` behind it. */
export function tokenLine(name: string, role: string, token = tokenOf(name)): string {
  return `${name}:${role}:${createHash('sha256').update(token).digest('hex')}\n`
}

export function tokenOf(name: string): string {
  return `${name}-token`
}

/** A line of the htpasswd file, as `htpasswd -B` writes it, at the least cost. */
export async function passwordLine(name: string, password: string): Promise<string> {
  return `${name}:${(await bcrypt.hash(password, 4)).replace('$2b$', '$2y$')}\n`
}

export function basic(name: string, secret: string): string {
  return `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
}

export type CallerPaths = {
  readonly tokens: string
  readonly passwords: string
  readonly access: string
}

/** Credentials as most tests want them: a caller of each role, and rules for two teams. */
export async function writeCallers(folder: string): Promise<CallerPaths> {
  const paths = {
    tokens: join(folder, 'tokens'),
    passwords: join(folder, 'htpasswd'),
    access: join(folder, 'access.json'),
  }
  const roles = ['admin', 'editor', 'viewer'].map((role) => tokenLine(role, role))
  await writeFile(
    paths.tokens,
    `# name:role:sha256\n${roles.join('')}${tokenLine('ci-a', 'editor')}`,
  )
  await writeFile(paths.passwords, await passwordLine('node', 'of the cluster'))
  const rules = [
    { repository: 'team-a/**', allow: { 'ci-a': ['pull', 'push', 'delete'], '*': ['pull'] } },
    { repository: 'cvi/secret*', allow: { editor: ['pull', 'push', 'delete'] } },
  ]
  await writeFile(paths.access, JSON.stringify({ rules }))
  return paths
}
