import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { attempt, run, type Ended } from './shell.ts'
import { temporaryFolder } from './temporary.ts'

/** Where `.ci/tools` puts what is not to be had as a package. */
const built = join(
  process.env['SLIPWAY_TOOLS'] || join(homedir(), '.cache', 'slipway-tools'),
  'bin',
)

/** A client that `.ci/tools` builds. */
export function tool(name: string): string {
  return join(built, name)
}

/** As `needs`, for a client that `.ci/tools` builds. */
export function needsTool(name: string): boolean {
  return allows(existsSync(tool(name)), `${name} is not in ${built}`, '.ci/tools')
}

/** As `needs`, for programs that root alone can run. */
export function needsRoot(name: string): boolean {
  return allows(process.getuid?.() === 0, `${name} is run by root alone`, 'sudo npm run clients')
}

/** @throws Error when it is not so and CI is set; else one line says how to make it so */
export function allows(isSo: boolean, otherwise: string, remedy: string): boolean {
  if (isSo) return true
  const line = `${otherwise}, so the tests that need it are skipped; to run them: ${remedy}`
  if (process.env['CI']) throw new Error(line)
  console.warn(line)
  return false
}

/** The slowest call moves 200 MiB, on a machine that has other work, too; in milliseconds. */
const limit = 60_000

export type Home = AsyncDisposable & {
  readonly path: string
  readonly env: NodeJS.ProcessEnv
  readonly at: (name: string) => string
  /** Runs a client to its end, in this folder. */
  readonly attempt: (program: string, ...args: readonly string[]) => Promise<Ended>
  /** Runs a client that has to succeed; gives what it printed. */
  readonly run: (program: string, ...args: readonly string[]) => Promise<string>
}

/** A folder for all that clients keep between two calls: credentials, caches, images. Nothing of the user's own is used. */
export async function clientHome(): Promise<Home> {
  const folder = await temporaryFolder()
  const at = (name: string) => join(folder.path, name)
  for (const name of ['tmp', 'docker']) await mkdir(at(name))
  await mkdir(at('runtime'), { mode: 0o700 })
  await writeFile(at('auth.json'), '{}')
  // Its locks would be in shared memory otherwise, for all of this user's containers.
  await writeFile(at('containers.conf'), '[engine]\nlock_type = "file"\n')
  const env = environment(at)
  return {
    path: folder.path,
    env,
    at,
    attempt: (program, ...args) => attempt(program, args, { cwd: folder.path, env, limit }),
    run: (program, ...args) => run(program, args, { cwd: folder.path, env, limit }),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

function environment(at: (name: string) => string): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: at('.'),
    TMPDIR: at('tmp'),
    XDG_CONFIG_HOME: at('config'),
    XDG_CACHE_HOME: at('cache'),
    XDG_DATA_HOME: at('data'),
    XDG_RUNTIME_DIR: at('runtime'),
    DOCKER_CONFIG: at('docker'),
    REGISTRY_AUTH_FILE: at('auth.json'),
    CONTAINERS_CONF: at('containers.conf'),
  }
}

/** What a client said, on both of its outputs. */
export function said({ stdout, stderr }: Ended): string {
  return `${stdout}${stderr}`
}

/** As clients name a registry. */
export function hostOf(base: string): string {
  return new URL(base).host
}
