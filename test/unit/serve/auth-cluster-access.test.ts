import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { openClusterAccess } from '../../../src/serve/auth/cluster-access.ts'
import { json, playApi, refuse, type Answer } from '../../support/api-play.ts'

async function open(answer: Answer) {
  const play = await playApi(answer)
  const post = await openClusterAccess({ kubeconfig: [play.kubeconfig], userAgent: 'slipway/test' })
  return { play, post, [Symbol.asyncDispose]: () => play[Symbol.asyncDispose]() }
}

describe('the API server is asked who callers are', () => {
  test('with credentials that are read again when it does not know them any more', async () => {
    await using opened = await open(({ headers }, response) =>
      headers.authorization === 'Bearer second'
        ? json(response, { status: {} })
        : refuse(response, 401, 'Unauthorized', 'who are you'),
    )
    await writeFile(opened.play.tokenFile, 'second')
    expect(await opened.post('/apis/x', { kind: 'Review' })).toEqual({ status: {} })
  })

  test.each([
    [401, 'look at its credentials, and bind the ClusterRole system:auth-delegator'],
    [403, 'look at its credentials, and bind the ClusterRole system:auth-delegator'],
    [500, 'it gives no answer; try again'],
  ])('and an answer with the status %i is told without what it says', async (status, told) => {
    await using opened = await open((_asked, response) =>
      refuse(response, status, 'Said', 'what it says'),
    )
    const failure = await opened.post('/apis/x', {}).catch((error: unknown) => error)
    expect(failure).toMatchObject({
      code: 'CLUSTER_UNAVAILABLE',
      retryAfter: 10_000,
      message: expect.stringContaining(told),
      cause: { message: expect.stringContaining(String(status)) },
    })
    expect(failure).not.toMatchObject({ message: expect.stringContaining(String(status)) })
  })

  test('and where it is, is not told to those who come in', async () => {
    await using opened = await open((_asked, response) => void response.destroy())
    const told = await opened.post('/apis/x', {}).catch((error: unknown) => error)
    expect(told).toMatchObject({
      message: expect.stringContaining('it does not answer (UND_ERR_SOCKET)'),
      cause: { message: expect.stringContaining('127.0.0.1') },
    })
    expect(told).not.toMatchObject({ message: expect.stringContaining('127.0.0.1') })
  })

  test('not without knowing where it is', async () => {
    const missing = openClusterAccess({ kubeconfig: ['/missing'], userAgent: 'slipway/test' })
    await expect(missing).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringMatching(
        /^SLIPWAY_AUTH is "kubernetes", but .* set KUBECONFIG, or run in a pod/,
      ),
    })
  })
})
