import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Assets } from '../../../src/serve/web/assets.ts'
import { importsOf, modulesFrom } from '../../../src/serve/web/modules.ts'

const assets = Assets.load()
const own = join(import.meta.dirname, '../../../src/serve/web/browser')
const modules = assets.paths.filter((path) => /^page\/.*\.js$/.test(path))
const textOf = (path: string) => readFileSync(join(own, path.slice('page/'.length)), 'utf8')

describe('imports', () => {
  test.each([
    [`import { a } from './a.js'\nimport * as b from "b"`, ['./a.js', 'b']],
    [`import './a.js'; export { b } from './b.js'`, ['./a.js', './b.js']],
    [
      `/**x*/\nimport{a as b}from"./a.js";import c from"c";export{d}from"./d.js"`,
      ['./a.js', 'c', './d.js'],
    ],
    [`import {\n  a,\n  b,\n} from './a.js'`, ['./a.js']],
    [`/** @import { A } from './a.ts' */\n * @import { B } from './b.ts'`, []],
    [`const a = await import('./a.js')\nconst from = 'b'`, []],
  ])('of %j are %j', (text, imports) => {
    expect(importsOf(text)).toEqual(imports)
  })

  test('are followed once each, also in a circle', () => {
    const texts = new Map([
      ['a/main.js', "import './b.js'\nimport 'c'"],
      ['a/b.js', "import './main.js'\nimport '../c/c.js'"],
      ['c/c.js', ''],
    ])
    const at = (path: string) => texts.get(path) ?? null
    expect(modulesFrom('a/main.js', at, (name) => `${name}/${name}.js`)).toEqual([...texts.keys()])
  })

  test('that lead nowhere keep the service from starting', () => {
    const text = (path: string) => (path === 'a.js' ? "import './b.js'" : null)
    expect(() => modulesFrom('a.js', text, () => null)).toThrow('a.js imports ./b.js')
    expect(() =>
      modulesFrom(
        'a.js',
        () => "import 'b'",
        () => null,
      ),
    ).toThrow('a.js imports b')
  })
})

describe('the modules of the page', () => {
  test('are all asked for at once, each of them once', () => {
    expect(assets.modules[0]).toBe('page/main.js')
    expect(new Set(assets.modules).size).toBe(assets.modules.length)
    for (const path of assets.modules) expect(assets.at(path), path).not.toBeNull()
  })

  test.each(modules)('%s imports nothing but assets', (path) => {
    const all = importsOf(textOf(path))
    expect(all.filter((specifier) => /\.ts$|^node:/.test(specifier))).toEqual([])
    expect(() => assets.modulesFrom(path)).not.toThrow()
  })

  test('are all used: by a page, or by a worker', () => {
    const workers = modules.filter((path) => path.endsWith('-worker.js'))
    const used = new Set([
      ...assets.modules,
      ...assets.modulesFrom('page/docs.js'),
      ...workers.flatMap((path) => assets.modulesFrom(path)),
    ])
    expect(modules.filter((path) => !used.has(path))).toEqual([])
  })

  test('have the same version after a restart', () => {
    expect(Assets.load().version).toBe(assets.version)
  })
})
