import { beforeAll, describe, expect, test } from 'vitest'
import { Outage, Refusal } from '../../../../src/errors.ts'
import { certify, type Certificates } from '../../source/certificates.ts'
import {
  defaultClass,
  guidePolicies,
  machine,
  machineClass,
} from '../../../support/machine-classes.ts'
import { open, reviewOf } from './open.ts'

let certificates: Certificates
beforeAll(async () => {
  certificates = await certify('IP:127.0.0.1')
})

const [ofClass, naming, ofMachine] = [
  'validate-virtualmachineclasses',
  'default-virtualmachines',
  'validate-virtualmachines',
]
const head = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' }
const c = machineClass(guidePolicies, 'c', defaultClass)

describe('a review', () => {
  test('is answered at its path, and counted', async () => {
    await using opened = await open(certificates, { stored: [c] })
    const created = await opened.review(`/${ofClass}?timeout=5s`, machineClass(guidePolicies, 'b'))
    expect([created.status, JSON.parse(created.text)]).toEqual([
      200,
      { ...head, response: { uid: 'b2b6', allowed: true } },
    ])
    const named = await opened.review(`/${naming}`, machine({ cores: 1 }))
    expect(JSON.parse(named.text)).toMatchObject({ response: { patchType: 'JSONPatch' } })
    const refused = await opened.review(
      `/${ofMachine}`,
      machine({ cores: 7 }, '9.5Gi', 'c'),
      null,
      {
        namespace: 'shop',
      },
    )
    const message =
      'the memory size (9728Mi) does not match the sizing policy step; set the memory size (spec.memory.size) to 9Gi or 10Gi'
    expect(JSON.parse(refused.text)).toEqual({
      ...head,
      response: {
        uid: 'b2b6',
        allowed: false,
        status: {
          code: 422,
          reason: 'Invalid',
          message,
          details: {
            kind: 'VirtualMachine',
            name: 'linux-vm',
            causes: [{ reason: 'FieldValueInvalid', field: 'spec.memory.size', message }],
          },
        },
      },
    })
    expect(await opened.counted()).toEqual([
      [ofClass, 'allowed', 1],
      [naming, 'patched', 1],
      [ofMachine, 'denied', 1],
    ])
    expect(await opened.text()).toContain(`slipway_webhook_seconds_count{webhook="${ofMachine}"} 1`)
    expect(opened.lines).toMatchObject([
      {
        msg: 'admission was refused',
        level: 30,
        webhook: ofMachine,
        user: 'jane',
        namespace: 'shop',
        name: 'linux-vm',
        codes: ['MEMORY_OFF_STEP'],
      },
    ])
  })

  const review = reviewOf(machine({ cores: 1 }))
  test.each<[string, string, string, RegExp]>([
    ['no JSON', ofMachine, '{', /^this is no AdmissionReview of admission\.k8s\.io\/v1: /],
    ['empty', ofMachine, '', /^this is no AdmissionReview/],
    [
      'of another version',
      ofMachine,
      JSON.stringify({ ...review, apiVersion: 'admission.k8s.io/v1beta1' }),
      /v1: apiVersion: Invalid input: expected "admission\.k8s\.io\/v1"\n$/,
    ],
    [
      'without a uid',
      ofMachine,
      JSON.stringify({ ...review, request: { ...review.request, uid: undefined } }),
      /v1: request\.uid: Invalid input: expected string, received undefined\n$/,
    ],
    [
      'of another kind',
      ofClass,
      JSON.stringify(review),
      /^\/validate-virtualmachineclasses is for VirtualMachineClass, and not for VirtualMachine\n$/,
    ],
  ])('that is %s is a bad request', async (_what, webhook, body, text) => {
    await using opened = await open(certificates)
    const answer = await opened.send(`/${webhook}`, body)
    expect(answer).toEqual({ status: 400, text: expect.stringMatching(text) })
    expect(await opened.counted()).toEqual([[webhook, 'invalid', 1]])
  })

  test('of a creation may lack the object before, or have none', async () => {
    await using opened = await open(certificates, { stored: [c] })
    const { oldObject, ...request } = reviewOf(machine({ cores: 1 }, '1Gi', 'c')).request
    expect(oldObject).toBeNull()
    const answer = await opened.send(`/${ofMachine}`, JSON.stringify({ ...head, request }))
    expect(JSON.parse(answer.text)).toMatchObject({ response: { allowed: true } })
  })

  test('is at no other path', async () => {
    await using opened = await open(certificates)
    expect(await opened.send('/', '{}')).toEqual({
      status: 404,
      text: `there is POST /${ofClass}, POST /${naming}, POST /${ofMachine}\n`,
    })
    expect(await opened.counted()).toEqual([])
  })

  test('that is refused for many reasons is logged in a short line', async () => {
    await using opened = await open(certificates)
    const given = machineClass()
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`f${index}`, 1]))
    const wrong = { ...given, spec: { ...given.spec, ...many } }
    const answer = await opened.review(`/${ofClass}`, wrong)
    expect(JSON.parse(answer.text)).toMatchObject({ response: { allowed: false } })
    expect(opened.lines).toMatchObject([{ codes: ['CLASS_INVALID'] }])
  })

  test('that is too large is refused, told its length or not', async () => {
    await using opened = await open(certificates, { limits: { body: 1000 } })
    const tooLarge = { status: 413, text: 'a review has at most 1000 bytes\n' }
    expect(await opened.send(`/${ofMachine}`, Buffer.alloc(1001))).toEqual(tooLarge)
    const pieces = async function* () {
      yield Buffer.alloc(600)
      yield Buffer.alloc(600)
    }
    expect(await opened.send(`/${ofMachine}`, pieces())).toEqual(tooLarge)
    expect(await opened.counted()).toEqual([[ofMachine, 'invalid', 2]])
  })
})

describe('nothing is decided', () => {
  const small = machine({ cores: 1 }, '1Gi', 'c')

  test.each([
    new Outage('CLUSTER_UNAVAILABLE', 'the API server is away'),
    new Refusal('CLUSTER_REFUSED', 'the API server answered 403: no right'),
  ])('when the API server fails with $code', async (failure) => {
    await using opened = await open(certificates)
    opened.api.refuse(/^get/, failure)
    const answer = await opened.review(`/${ofMachine}`, small)
    expect(answer).toEqual({ status: 500, text: `${failure.message}\n` })
    expect(await opened.counted()).toEqual([[ofMachine, 'failed', 1]])
    expect(opened.lines).toMatchObject([
      { msg: 'nothing was decided about an admission', level: 40, path: `/${ofMachine}` },
    ])
  })

  test('when the API server is too slow, and it is asked no longer', async () => {
    const ended = Promise.withResolvers<unknown>()
    const api = {
      get: async (_path: string, _query: object, signal: AbortSignal) => {
        signal.addEventListener('abort', () => ended.resolve(signal.reason))
        return await new Promise<never>(() => undefined)
      },
    }
    await using opened = await open(certificates, { api, limits: { answeredWithin: 20 } })
    const text = 'the API server did not answer within 0.02 seconds\n'
    expect(await opened.review(`/${ofMachine}`, small)).toEqual({ status: 500, text })
    expect(await ended.promise).toMatchObject({ name: 'TimeoutError' })
    expect(await opened.counted()).toEqual([[ofMachine, 'failed', 1]])
  })

  test('when we are wrong ourselves, and only the log has it', async () => {
    const api = { get: async () => await Promise.reject(new TypeError('secret')) }
    await using opened = await open(certificates, { api })
    const { status, text } = await opened.review(`/${ofMachine}`, small)
    expect([status, text]).toEqual([
      500,
      'something went wrong inside the service; the log has the details\n',
    ])
    expect(opened.lines).toMatchObject([{ level: 50 }])
    expect(JSON.stringify(opened.lines)).toContain('secret')
  })

  test('when whoever asks goes away, and the API server is asked no longer', async () => {
    const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const api = {
      get: async (_path: string, _query: object, signal: AbortSignal) => {
        signal.addEventListener('abort', () => ended.resolve())
        begun.resolve()
        return await new Promise<never>(() => undefined)
      },
    }
    await using opened = await open(certificates, { api })
    const answer = opened.review(`/${ofMachine}`, small)
    await begun.promise
    await opened.agent.destroy()
    await expect(answer).rejects.toThrow()
    await ended.promise
    await expect.poll(opened.counted, { timeout: 5000 }).toEqual([[ofMachine, 'failed', 1]])
  })
})
