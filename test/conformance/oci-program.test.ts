import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { tokenLine, tokenOf } from '../support/callers.ts'
import { onlyChallenging } from '../support/conformance-challenge.ts'
import { hasConformanceProgram, judgeRegistry } from '../support/conformance.ts'
import { needs } from '../support/programs.ts'
import { startService } from '../support/service.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { certify } from '../unit/source/certificates.ts'

/** All tests of the pinned program that there are without sparse manifests, counted as its report counts them. */
const everything = {
  code: 0,
  tests: 986,
  cases: 793,
  sums: { failures: 0, errors: 0, skipped: 0, disabled: 0 },
  unpassed: [],
  credentials: [],
}

/** A service that asks for credentials, and those of an editor. */
async function startGuarded() {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await temporaryFolder()).path
  const tokens = join(folder, 'tokens')
  await writeFile(tokens, tokenLine('pusher', 'editor'))
  const service = stack.use(await startService({ SLIPWAY_TOKENS_FILE: tokens }))
  const variables = {
    OCI_TLS: 'disabled',
    OCI_USERNAME: 'pusher',
    OCI_PASSWORD: tokenOf('pusher'),
  }
  const held = stack.move()
  return { service, variables, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

describe.skipIf(!(await hasConformanceProgram()))("the specification's conformance program", () => {
  test('passes in full where everybody may do everything', async () => {
    await using service = await startService()
    const { host } = new URL(service.base)
    expect(await judgeRegistry('open', host, { OCI_TLS: 'disabled' })).toEqual(everything)
  })

  test('passes in full with tokens, which it gets for name and password', async () => {
    await using guarded = await startGuarded()
    const { host } = new URL(guarded.service.base)
    expect(await judgeRegistry('tokens', host, guarded.variables)).toEqual({
      ...everything,
      // The first is shown where the tokens are.
      credentials: ['Basic', 'Bearer'],
    })
  })

  test('passes in full with name and password, where nothing tells it of tokens', async () => {
    await using guarded = await startGuarded()
    await using between = await onlyChallenging(guarded.service.base, 'Basic')
    expect(await judgeRegistry('password', between.host, guarded.variables)).toEqual({
      ...everything,
      credentials: ['Basic'],
    })
  })

  test.skipIf(!needs('openssl', 'apt-get install openssl'))('passes in full over TLS', async () => {
    await using folder = await temporaryFolder()
    const at = (name: string) => join(folder.path, name)
    const { ca, cert, key } = await certify('IP:127.0.0.1')
    await writeFile(at('ca.crt'), ca)
    await writeFile(at('tls.crt'), cert)
    await writeFile(at('tls.key'), key)
    await using service = await startService({
      SLIPWAY_TLS_CERT: at('tls.crt'),
      SLIPWAY_TLS_KEY: at('tls.key'),
    })
    const { host } = new URL(service.base)
    const verdict = await judgeRegistry('tls', host, {
      OCI_TLS: 'enabled',
      SSL_CERT_FILE: at('ca.crt'),
    })
    expect(verdict).toEqual(everything)
  })
})
