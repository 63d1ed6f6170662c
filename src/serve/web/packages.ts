/**
 * The packages that the page uses in the browser, as they are installed: what its modules import by name, and where that lies
 * among the assets. `files` are folders and files below the package's own folder.
 */
export type BrowserPackage = {
  readonly name: string
  /** Below the package: what of it is handed out. */
  readonly files: readonly string[]
  /** Names that modules import, and the file each stands for. */
  readonly imports: { readonly [specifier: string]: string }
}

export const packages: readonly BrowserPackage[] = [
  {
    name: 'lit-html',
    files: [
      'lit-html.js',
      'directive.js',
      'directive-helpers.js',
      'async-directive.js',
      'directives',
    ],
    imports: { 'lit-html': 'lit-html.js', 'lit-html/': '' },
  },
  {
    name: 'eventsource-parser',
    files: ['dist/index.js'],
    imports: { 'eventsource-parser': 'dist/index.js' },
  },
  {
    name: '@noble/hashes',
    files: ['sha2.js', '_md.js', '_u64.js', 'utils.js'],
    imports: { '@noble/hashes/sha2.js': 'sha2.js' },
  },
  { name: 'tus-js-client', files: ['dist/tus.min.js'], imports: {} },
]
