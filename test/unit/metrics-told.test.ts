import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { load } from 'js-yaml'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Metrics } from '../../src/metrics.ts'
import { CompanionMetrics } from '../../src/sync/metrics.ts'
import { needs } from '../support/programs.ts'
import { Samples } from '../support/samples.ts'
import { run } from '../support/shell.ts'
import { root, toldMetrics, type ToldMetrics } from '../support/told-metrics.ts'

const told = toldMetrics()
const service = new Metrics()
const companion = new CompanionMetrics()
service.addProcess('1.2.3')
companion.addProcess('1.2.3')

const prometheus = join(root, 'deploy/prometheus')
const rule = z.object({ alert: z.string(), expr: z.string() })
const { groups } = z
  .object({ groups: z.array(z.object({ rules: z.array(rule) })) })
  .parse(load(readFileSync(join(prometheus, 'rules.yaml'), 'utf8')))
const alerts = groups.flatMap(({ rules }) => rules)

const panelSchema = z.object({
  title: z.string(),
  targets: z.array(z.object({ expr: z.string() })).default([]),
})
const dashboard = z
  .object({ panels: z.array(panelSchema) })
  .parse(JSON.parse(readFileSync(join(root, 'deploy/grafana/slipway.json'), 'utf8')))
const queries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => ({ title, expr })),
)
const asked = [...queries, ...alerts.map(({ alert: title, expr }) => ({ title, expr }))]

describe('the tables of the README', () => {
  test.each([
    ['the service', service, told.service],
    ['the companion', companion, told.companion],
  ] as const)('have each metric of %s, and no other', async (_name, metrics, table) => {
    const { families } = new Samples(await metrics.text())
    const kinds = [...table].map(([name, { kind }]) => [name, kind])
    expect(Object.fromEntries(kinds)).toEqual(Object.fromEntries(families))
  })
})

describe('what is made of metrics', () => {
  const known: ToldMetrics = new Map([...told.service, ...told.companion])

  test('there are queries and alerts', () => {
    expect(queries.length).toBeGreaterThan(50)
    expect(alerts.length).toBeGreaterThan(20)
  })

  test.each(asked)('$title asks for metrics that there are: $expr', ({ expr }) => {
    const names = namesIn(expr)
    expect(names.length).toBeGreaterThan(0)
    expect(names.filter((name) => name !== 'up' && !known.has(name))).toEqual([])
  })

  test.each(asked)('$title asks for labels that there are: $expr', ({ expr }) => {
    const all = namesIn(expr).flatMap((name) => known.get(name)?.labels ?? [])
    const grouped = [...expr.matchAll(/\b(?:by|ignoring)\s*\(([^)]*)\)/g)].flatMap(
      ([, list = '']) => list.split(',').map((label) => label.trim()),
    )
    const those = new Set([...all, ...scraped])
    expect(grouped.filter((label) => !those.has(label))).toEqual([])
    for (const [, name = '', matchers = ''] of expr.matchAll(
      /(\w+)\{([^}]*(?:\{[^}]*\}[^}]*)*)\}/g,
    )) {
      const own = new Set([...(known.get(familyOf(name))?.labels ?? []), ...scraped])
      const labels = [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(
        ([, label = '']) => label,
      )
      expect(labels.filter((label) => !own.has(label))).toEqual([])
    }
  })

  test('each alert has a test in which it fires, and one in which it does not', () => {
    const tests = z
      .object({
        tests: z.array(
          z.object({
            alert_rule_test: z.array(
              z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) }),
            ),
          }),
        ),
      })
      .parse(load(readFileSync(join(prometheus, 'rules.test.yaml'), 'utf8')))
    const cases = tests.tests.flatMap((each) => each.alert_rule_test)
    const names = (fires: boolean) =>
      cases.filter(({ exp_alerts: all }) => all.length > 0 === fires).map((each) => each.alertname)
    const all = alerts.map(({ alert }) => alert)
    expect(new Set(names(true))).toEqual(new Set(all))
    expect(new Set(names(false))).toEqual(new Set(all))
  })
})

describe.skipIf(!needs('promtool', 'apt-get install prometheus'))('promtool', () => {
  test.each([
    ['the rules', ['check', 'rules', join(prometheus, 'rules.yaml')]],
    ['the configuration', ['check', 'config', join(prometheus, 'prometheus.yaml')]],
    ['what the rules do', ['test', 'rules', join(prometheus, 'rules.test.yaml')]],
  ])('accepts %s', { timeout: 60_000 }, async (_what, args) => {
    expect(await run('promtool', args)).toContain('SUCCESS')
  })

  test.each([
    ['the service', service],
    ['the companion', companion],
  ] as const)('finds nothing to say of the metrics of %s', async (_name, metrics) => {
    const text = await metrics.text()
    expect(await run('promtool', ['check', 'metrics'], { input: text })).toBe('')
  })

  test('understands what the dashboard asks', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-dashboard-'))
    try {
      const rules = queries.map(({ expr }, index) => ({
        record: `dashboard:${index}`,
        expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
      }))
      const path = join(folder, 'rules.yaml')
      await writeFile(path, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
      expect(await run('promtool', ['check', 'rules', '--lint=none', path])).toContain('SUCCESS')
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

/** What Prometheus adds by itself, and what makes histograms. */
const scraped = ['job', 'instance', 'le']

function namesIn(expr: string): readonly string[] {
  const bare = expr.replaceAll(/"[^"]*"/g, '""')
  return [...bare.matchAll(/\b(?:up\b(?=\{)|(?:slipway|process|nodejs)_\w+)/g)].map(([name]) =>
    familyOf(name),
  )
}

function familyOf(name: string): string {
  return name.replace(/_(?:bucket|sum|count)$/, '')
}
