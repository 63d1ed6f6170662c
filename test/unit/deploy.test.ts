import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadAll } from 'js-yaml'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { describeSettings } from '../../src/env.ts'

const root = new URL('../..', import.meta.url).pathname
const deploy = join(root, 'deploy')
const text = (path: string) => readFileSync(join(root, path), 'utf8')

const files = readdirSync(deploy, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => join(parentPath, name).slice(root.length))
const plain = files.filter((path) => path.endsWith('.yaml') && !path.includes('/templates/'))

describe('deploy', () => {
  test.each(plain)('%s is YAML', (path) => {
    expect(loadAll(text(path)).length).toBeGreaterThan(0)
  })

  test('sets what can be set', () => {
    const known = new Set(describeSettings({}).map(({ variable }) => variable))
    const named = files.flatMap((path) =>
      [...text(path).matchAll(/\bSLIPWAY_[A-Z0-9_]+/g)].map(([variable]) => ({ path, variable })),
    )
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter(({ variable }) => !known.has(variable))).toEqual([])
  })

  test('runs the version that it belongs to', () => {
    const { version } = z.object({ version: z.string() }).parse(JSON.parse(text('package.json')))
    const chart = z.object({ version: z.string(), appVersion: z.string() })
    const [told] = loadAll(text('deploy/chart/Chart.yaml'))
    expect(chart.parse(told)).toEqual({ version, appVersion: version })
    for (const part of ['service', 'controller']) {
      expect(text(`deploy/${part}/deployment.yaml`)).toContain(`image: slipway:${version}\n`)
    }
    expect(text('deploy/example/kustomization.yaml')).toContain(`newTag: ${version}\n`)
  })

  // Neither `npm pack` nor every checkout keeps links.
  test('has the same CRDs for both ways', () => {
    const crds = readdirSync(join(deploy, 'crds'))
    expect(readdirSync(join(deploy, 'chart/crds'))).toEqual(crds)
    for (const name of crds) {
      expect(text(`deploy/chart/crds/${name}`), `cp deploy/crds/${name} deploy/chart/crds/`).toBe(
        text(`deploy/crds/${name}`),
      )
    }
  })
})
