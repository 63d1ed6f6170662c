import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
/** Without its blocks, where `#` begins other things than sections. */
const prose = readme.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')
const titles = new Set([...prose.matchAll(/^##+ (.+)$/gm)].map(([, title = '']) => title))
const sections = [...prose.matchAll(/^## (.+)$/gm)].map(([, title = '']) => title)

/** As the places that show Markdown name the part below a title. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{Letter}\p{Number} -]/gu, '')
    .replaceAll(' ', '-')
}

test('the table of contents has each section, in their order', () => {
  const [contents = ''] = prose.split('\n## ')
  const listed = [...contents.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor)
  expect(listed).toEqual(sections.map(anchorOf))
})

test('each section that readers are sent to is there', () => {
  const sent = [...prose.matchAll(/\b[Ss]ee\s+"([^"]+)"/g)].map(([, title = '']) =>
    title.replaceAll(/\s+/g, ' '),
  )
  expect(sent.length).toBeGreaterThan(10)
  expect(sent.filter((title) => !titles.has(title))).toEqual([])
})

test('each file that it leads to is there', () => {
  const links = [...prose.matchAll(/\]\(((?!#|https?:)[^)]+)\)/g)].map(([, path = '']) => path)
  const paths = [...links, ...(readme.match(/\btest\/[\w/-]+(?:\.test\.ts)?/g) ?? [])]
  expect(paths.length).toBeGreaterThan(10)
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
})

const words = new Set(readme.match(/[\w.-]+/g))

test.each(['deploy', 'deploy/components', 'deploy/nodes', 'deploy/systemd'])(
  'each part of %s is told of',
  (folder) => {
    const parts = readdirSync(join(root, folder)).filter((name) => name !== 'kustomization.yaml')
    expect(parts.filter((name) => !words.has(name))).toEqual([])
  },
)
