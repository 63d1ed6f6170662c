import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { freePort } from '../bench/peers/server.ts'
import { hostOf } from '../support/clients.ts'
import { needs } from '../support/programs.ts'
import { startService, type Variables } from '../support/service.ts'
import { attempt, type Ended } from '../support/shell.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { certify } from '../unit/source/certificates.ts'

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

async function health(variables: Variables, ...operands: readonly string[]): Promise<Ended> {
  const env = { PATH: process.env['PATH'], ...variables }
  return await attempt(process.execPath, [program, 'health', ...operands], { env })
}

const freeAddress = async () => `127.0.0.1:${await freePort()}`

const well = { code: 0, stdout: '', stderr: '' }

describe('slipway health', () => {
  test('tells by its exit code whether the service answers', async () => {
    await using service = await startService()
    const port = new URL(service.base).port
    const everywhere = { SLIPWAY_LISTEN: `0.0.0.0:${port}`, SLIPWAY_AUTH: 'none' }
    expect(await health({ SLIPWAY_LISTEN: hostOf(service.base) })).toEqual(well)
    expect(await health(everywhere)).toEqual(well)
    await service.stop()
    const gone = await health(everywhere)
    expect(gone.code).toBe(1)
    expect(gone.stderr).toContain(`http://127.0.0.1:${port}/healthz does not answer`)
  })

  test.skipIf(!needs('openssl', 'apt-get install openssl'))(
    'speaks TLS where the service does, whatever name the certificate has',
    async () => {
      await using folder = await temporaryFolder()
      const { cert, key } = await certify('DNS:images.example.com')
      const at = (name: string) => join(folder.path, name)
      await Promise.all([writeFile(at('tls.crt'), cert), writeFile(at('tls.key'), key)])
      const tls = { SLIPWAY_TLS_CERT: at('tls.crt'), SLIPWAY_TLS_KEY: at('tls.key') }
      await using service = await startService(tls)
      const SLIPWAY_LISTEN = hostOf(service.base)
      expect(await health({ ...tls, SLIPWAY_LISTEN })).toEqual(well)
      expect(await health({ SLIPWAY_LISTEN })).toMatchObject({ code: 1 })
    },
  )

  test('asks the companion where that listens', async () => {
    const [SLIPWAY_CONTROLLER_LISTEN, SLIPWAY_LISTEN] = [await freeAddress(), await freeAddress()]
    const variables = { SLIPWAY_CONTROLLER_LISTEN, SLIPWAY_LISTEN }
    const [host, port] = SLIPWAY_CONTROLLER_LISTEN.split(':')
    await using server = createServer((request, response) => {
      response.writeHead(request.url === '/healthz' ? 200 : 404).end()
    })
    await once(server.listen(Number(port), host), 'listening')
    expect(await health(variables, 'controller')).toEqual(well)
    expect(await health(variables)).toMatchObject({ code: 1 })
  })

  test('is told whose health', async () => {
    expect(await health({}, 'webhook')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('slipway health --help'),
    })
  })
})
