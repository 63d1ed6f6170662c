import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readSettings } from '../../src/env.ts'
import { needsTool, tool } from '../support/clients.ts'
import { needs } from '../support/programs.ts'
import { attempt, run } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'

const checkout = new URL('../..', import.meta.url).pathname
const file = join(checkout, 'deploy/compose.yaml')
const withS3 = [file, join(checkout, 'deploy/compose.s3.yaml')]

const port = z.object({ host_ip: z.string(), published: z.string() })
/** The parser makes lines of `NAME=value` of what comes from two files. */
const environment = z.union([
  z.record(z.string(), z.string()),
  z.array(z.string()).transform((lines) =>
    Object.fromEntries(
      lines.map((line) => {
        const [name = '', ...value] = line.split('=')
        return [name, value.join('=')]
      }),
    ),
  ),
])
const part = z.object({
  image: z.string(),
  environment: environment.default({}),
  ports: z.array(port).default([]),
  profiles: z.array(z.string()).default([]),
  networks: z.record(z.string(), z.unknown()),
  secrets: z.array(z.object({ source: z.string(), target: z.string() })).default([]),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
})
const model = z.object({
  services: z.record(z.string(), part),
  networks: z.record(z.string(), z.object({ internal: z.boolean().optional() })),
  configs: z.record(z.string(), z.object({ content: z.string() })),
})

/** What Docker Compose's own parser makes of files, all profiles together. */
async function read(files: readonly string[]) {
  return model.parse(JSON.parse(await run(tool('compose'), ['-format', 'json', ...files])))
}

describe.skipIf(!needsTool('compose'))('deploy/compose.yaml', () => {
  let services: z.output<typeof model>['services']
  let networks: z.output<typeof model>['networks']

  beforeAll(async () => {
    ;({ services, networks } = await read(withS3))
  })

  test('runs what watches the service where its profile is asked for', () => {
    const profiles = Object.entries(services).map(([name, { profiles }]) => [name, profiles])
    expect(Object.fromEntries(profiles)).toEqual({
      slipway: [],
      s3: [],
      prometheus: ['monitoring'],
      grafana: ['monitoring'],
    })
  })

  test('gives no container more than it needs, and shows nothing beyond this machine', () => {
    for (const [name, told] of Object.entries(services)) {
      const { image, ports, ...others } = told
      expect(others, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      })
      expect(image, name).toMatch(/:v?\d+\.\d+\.\d+$/)
      expect(ports.filter(({ host_ip }) => host_ip !== '127.0.0.1')).toEqual([])
    }
  })

  test('runs the version that it belongs to, and asks it whether it is well', async () => {
    const text = await readFile(join(checkout, 'package.json'), 'utf8')
    const { version } = z.object({ version: z.string() }).parse(JSON.parse(text))
    expect(services['slipway']?.image).toBe(`slipway:${version}`)
    const dockerfile = await readFile(join(checkout, 'Dockerfile'), 'utf8')
    expect(dockerfile).toContain(`\nARG VERSION=${version}\n`)
    const [, ...program] = services['slipway']?.healthcheck?.test ?? []
    expect(dockerfile).toContain(`CMD ${JSON.stringify(program).replaceAll(',', ', ')}\n`)
  })

  test.each([
    ['filesystem', [file]],
    ['s3', withS3],
  ])('gives the service settings for %s that it takes', async (storage, files) => {
    const { services } = await read(files)
    const { environment = {}, secrets = [] } = services['slipway'] ?? {}
    const image = { SLIPWAY_LISTEN: '0.0.0.0:8080', SLIPWAY_DATA_DIR: '/data' }
    const { settings, problems } = readSettings({ ...image, ...environment })
    expect(problems ?? []).toEqual([])
    expect(settings).toMatchObject({ storage, tokensFile: '/run/secrets/tokens' })
    expect(secrets.map(({ target }) => target)).toEqual(['/run/secrets/tokens'])
  })

  test('lets the service alone reach the S3 server, by what that knows', () => {
    const { slipway, s3 } = services
    expect(slipway?.environment).toMatchObject({
      SLIPWAY_S3_ENDPOINT: 'http://s3:7070',
      AWS_ACCESS_KEY_ID: s3?.environment['ROOT_ACCESS_KEY'],
      AWS_SECRET_ACCESS_KEY: s3?.environment['ROOT_SECRET_KEY'],
    })
    expect(Object.keys(s3?.networks ?? {})).toEqual(['storage'])
    expect(s3?.ports).toEqual([])
    expect(networks['storage']).toMatchObject({ internal: true })
    const others = Object.entries(services).filter(([name]) => name !== 'slipway' && name !== 's3')
    expect(others.filter(([, { networks }]) => 'storage' in networks)).toEqual([])
  })

  test.skipIf(!needs('promtool', 'apt-get install prometheus'))(
    'gives Prometheus a configuration that it takes, with a token of its own',
    async () => {
      await using folder = await temporaryFolder()
      const { configs } = await read([file])
      const path = join(folder.path, 'prometheus.yaml')
      await writeFile(path, configs['prometheus']?.content ?? '')
      // Its rules and its token are elsewhere.
      const told = await attempt('promtool', ['check', 'config', '--syntax-only', path])
      expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining('is valid') })
      const [secret] = services['prometheus']?.secrets ?? []
      expect(configs['prometheus']?.content).toContain(`credentials_file: ${secret?.target}\n`)
      expect(configs['prometheus']?.content).toContain("targets: ['slipway:8080']")
    },
  )

  test('is held against what the parser knows', async () => {
    await using folder = await temporaryFolder()
    const wrong = (await readFile(file, 'utf8')).replace('stop_grace_period', 'stop_grace')
    const path = join(folder.path, 'compose.yaml')
    await writeFile(path, wrong)
    const { code, stderr } = await attempt(tool('compose'), [path])
    expect({ code, stderr }).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('stop_grace'),
    })
  })
})
