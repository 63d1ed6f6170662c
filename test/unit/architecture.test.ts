import { readdirSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

/** The law of the house: who may import whom. Type-only imports obey it too. */
const kernel = ['errors', 'env', 'log', 'metrics', 'traces', 'image', 'machine', 'unless']
const stations = ['unwrap', 'pack', 'store', 'catalog', 'source', 'inspect']
const law: { readonly [room: string]: readonly string[] } = {
  errors: [],
  unless: [],
  image: ['errors'],
  machine: ['errors'],
  env: kernel,
  log: kernel,
  metrics: kernel,
  traces: kernel,
  unwrap: kernel,
  pack: kernel,
  store: kernel,
  catalog: kernel,
  client: kernel,
  // The API server: asked by the service who callers are, and by the companion for everything else. Nobody else needs one.
  kube: kernel,
  // Certificates of listeners: the service's, and the companion's for admission.
  tls: kernel,
  source: [...kernel, 'unwrap'],
  inspect: [...kernel, 'unwrap'],
  work: [...kernel, ...stations],
  serve: [...kernel, 'source', 'store', 'catalog', 'work', 'kube', 'tls'],
  sync: [...kernel, 'client', 'kube', 'tls'],
  app: [...kernel, ...stations, 'work', 'serve', 'client', 'kube', 'tls', 'sync'],
  main: [...kernel, ...stations, 'work', 'serve', 'client', 'kube', 'tls', 'sync', 'app'],
}

const src = resolve(import.meta.dirname, '../../src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) =>
  /\.(?:ts|js)$/.test(file),
)

function roomOf(path: string): string {
  return (
    relative(src, path)
      .split('/')[0]
      ?.replace(/\.(?:ts|js)$/, '') ?? ''
  )
}

/** Static, dynamic and re-exporting imports, and files named beside the importing one. */
function importsOf(file: string): string[] {
  const text = readFileSync(resolve(src, file), 'utf8')
  const found = text.matchAll(/(?:\bfrom|\bimport\(?|\bnew URL\()\s*['"`](\.[^'"`]+)['"`]/g)
  return [...found].map(([, path = '']) => resolve(src, dirname(file), path))
}

describe('the house', () => {
  test('holds its rooms and no others', () => {
    const rooms = new Set(files.map((file) => roomOf(resolve(src, file))))
    expect([...rooms].filter((room) => !(room in law))).toEqual([])
    expect(files.length).toBeGreaterThan(50)
  })

  test.each(files)('%s imports only what its room may', (file) => {
    const room = roomOf(resolve(src, file))
    const inside = importsOf(file).filter((path) => path.startsWith(src))
    const forbidden = inside.filter(
      (path) => roomOf(path) !== room && !law[room]?.includes(roomOf(path)),
    )
    expect(forbidden.map((path) => relative(src, path))).toEqual([])
  })

  test('has no file above 300 lines', () => {
    const long = files.filter(
      (file) => readFileSync(resolve(src, file), 'utf8').split('\n').length > 300,
    )
    expect(long).toEqual([])
  })
})
