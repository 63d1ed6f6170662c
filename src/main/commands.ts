import type { Command } from './command.ts'

/** A row of the program's table of commands, or of a command's own. */
export type Entry = {
  readonly name: string
  /** What follows the name in a line of help. */
  readonly operands: string
  readonly summary: string
  /** Loaded when it is asked for. */
  readonly load: () => Promise<{ readonly command: Command | Group }>
}

/** A command that consists of others. */
export type Group = {
  /** What `--help` prints above and below the list of them. */
  readonly about: string
  readonly notes: string
  readonly entries: readonly Entry[]
}

/** Every command of the program; help and completion are made of it. */
export const entries: readonly Entry[] = [
  row('serve', '', 'run the service', () => import('./serve.ts')),
  row(
    'controller',
    '',
    'keep Kubernetes resources in step with the service',
    () => import('./controller.ts'),
  ),
  row(
    'images',
    'COMMAND',
    'list, create, upload, download and delete images of a service',
    () => import('./images.ts'),
  ),
  row(
    'inspect',
    'FILE|URL',
    'tell what an image is, without keeping it; docker://HOST/NAME:TAG too',
    () => import('./inspect.ts'),
  ),
  row(
    'evaluate',
    '-f FILE',
    'tell whether a virtual machine fits its class',
    () => import('./evaluate.ts'),
  ),
  row('gc', '', 'remove what nothing needs, or count it', () => import('./gc.ts')),
  row('scrub', '', 'read everything again and find what is damaged', () => import('./scrub.ts')),
  row(
    'copy-store',
    '',
    'copy all images to another storage, while they are served',
    () => import('./copy-store.ts'),
  ),
  row('rebuild', '', 'make the catalog again from the storage', () => import('./rebuild.ts')),
  row('backup', 'FILE', 'copy the catalog while the service runs', () => import('./backup.ts')),
  row('crds', '', 'print the definitions of the Kubernetes resources', () => import('./crds.ts')),
  row(
    'health',
    '[controller]',
    'tell whether the service on this machine answers',
    () => import('./health.ts'),
  ),
  row('config', '', 'print all settings and what they are set to', () => import('./config.ts')),
  row(
    'completion',
    'bash|zsh|fish',
    'print what makes a shell complete all this',
    () => import('./completion.ts'),
  ),
  row('version', '', 'print the version', () => import('./version.ts')),
]

export function row(name: string, operands: string, summary: string, load: Entry['load']): Entry {
  return { name, operands, summary, load }
}

/** A line for each of them, in columns. @param path what stands before their names, such as `slipway images` */
export function linesOf(path: string, rows: readonly Entry[]): string {
  const starts = rows.map(({ name, operands }) => `${path} ${name} ${operands}`.trimEnd())
  const width = Math.max(...starts.map((start) => start.length)) + 2
  return rows
    .map(({ summary }, index) => `  ${(starts[index] ?? '').padEnd(width)}${summary}\n`)
    .join('')
}

export function isGroup(command: Command | Group): command is Group {
  return 'entries' in command
}
