import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

export type Program = {
  readonly name: string
  /** Debian's package, null where there is none. */
  readonly package: string | null
  /** What builds it then. */
  readonly builtBy?: string
}

export const curl: Program = { name: 'curl', package: 'curl' }
export const gzip: Program = { name: 'gzip', package: 'gzip' }
export const zstd: Program = { name: 'zstd', package: 'zstd' }
export const xz: Program = { name: 'xz', package: 'xz-utils' }
export const bzip2: Program = { name: 'bzip2', package: 'bzip2' }
export const qemuImg: Program = { name: 'qemu-img', package: 'qemu-utils' }
export const fileProgram: Program = { name: 'file', package: 'file' }
export const python: Program = { name: 'python3', package: 'python3' }
export const skopeo: Program = { name: 'skopeo', package: 'skopeo' }
export const openssl: Program = { name: 'openssl', package: 'openssl' }
export const chromium: Program = { name: 'chromium', package: 'chromium' }
export const wrk: Program = { name: 'wrk', package: 'wrk' }
const cluster = { package: null, builtBy: '.ci/tools' }
export const etcd: Program = { name: 'etcd', ...cluster }
export const kubeApiServer: Program = { name: 'kube-apiserver', ...cluster }
export const kubectl: Program = { name: 'kubectl', ...cluster }
export const taskset: Program = { name: 'taskset', package: 'util-linux' }

/** Where `.ci/tools` puts what it builds. */
const tools = process.env['SLIPWAY_TOOLS'] || join(homedir(), '.cache', 'slipway-tools')
/** Servers lie where only root looks by itself. */
const more = ['/usr/local/sbin', '/usr/sbin', '/sbin', join(tools, 'bin')]

async function isInstalled({ name }: Program): Promise<boolean> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...more]
  const found = folders.map((folder) => access(join(folder, name), constants.X_OK))
  return (await Promise.allSettled(found)).some(({ status }) => status === 'fulfilled')
}

/** Those that are not on this machine. */
export async function missing(programs: readonly Program[]): Promise<readonly Program[]> {
  const there = await Promise.all(programs.map(isInstalled))
  return programs.filter((_, index) => !there[index])
}

export function installCommand(programs: readonly Program[]): string {
  const packages = programs.flatMap((program) => program.package ?? [])
  const builds = programs.flatMap(({ builtBy }) => builtBy ?? [])
  const install = packages.length > 0 ? [`apt-get install ${packages.join(' ')}`] : []
  return [...install, ...new Set(builds)].join('; ')
}

/** What programs are started with, so that servers are found here, too. */
export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: [process.env['PATH'] ?? '', ...more].join(delimiter) }
}
