import { row, type Group } from './commands.ts'

/** The commands for people: they speak to a service by REST (operations, "Commands"). */
export const command: Group = {
  about: `slipway images works with the images of a service.
`,
  notes: `They ask the service at SLIPWAY_URL (without it, http://127.0.0.1:8080) and show it the token in SLIPWAY_TOKEN or
SLIPWAY_TOKEN_FILE. Exit codes are those of "slipway --help".
`,
  entries: [
    row('ls', '', 'list images', () => import('./images/ls.ts')),
    row('get', 'NAME', 'show all that is known of an image', () => import('./images/get.ts')),
    row(
      'create',
      'NAME',
      'create an image from a URL, a container image or another one',
      () => import('./images/create.ts'),
    ),
    row(
      'upload',
      'FILE [NAME]',
      'send a file, and wait for its image',
      () => import('./images/upload.ts'),
    ),
    row(
      'download',
      'NAME [FILE]',
      'bring the disk of an image into a file',
      () => import('./images/download.ts'),
    ),
    row('delete', 'NAME...', 'delete images', () => import('./images/delete.ts')),
    row(
      'retry',
      'NAME...',
      'start images again that failed or were lost',
      () => import('./images/retry.ts'),
    ),
    row('watch', '[NAME]', 'show images as they change', () => import('./images/watch.ts')),
  ],
}
