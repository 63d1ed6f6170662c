import { describe, expect, test } from 'vitest'
import { ClusterReviews } from '../../../src/serve/auth/cluster-reviews.ts'

/** Reviews by an API server that answers with this status. */
function answering(status: unknown) {
  const asked: { readonly path: string; readonly body: object }[] = []
  const reviews = new ClusterReviews((path, body) => {
    asked.push({ path, body })
    return Promise.resolve({ status })
  })
  return { reviews, asked }
}

const user = { username: 'jane', uid: '1', groups: ['a', 'b'], extra: { scopes: ['x'] } }

describe('a review of a token', () => {
  test('tells whose it is', async () => {
    const { reviews, asked } = answering({ authenticated: true, user, audiences: ['api'] })
    expect(await reviews.whose('secret', null)).toEqual(user)
    expect(asked).toEqual([
      {
        path: '/apis/authentication.k8s.io/v1/tokenreviews',
        body: {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenReview',
          spec: { token: 'secret' },
        },
      },
    ])
  })

  test('takes one for an audience only from an API server that has looked at it', async () => {
    const aware = answering({ authenticated: true, user, audiences: ['slipway'] })
    expect(await aware.reviews.whose('secret', 'slipway')).toEqual(user)
    expect(aware.asked[0]?.body).toMatchObject({ spec: { audiences: ['slipway'] } })
    const unaware = answering({ authenticated: true, user })
    expect(await unaware.reviews.whose('secret', 'slipway')).toBeNull()
  })

  test.each([{}, { authenticated: false, user }])('that says %j is nobody’s', async (status) => {
    expect(await answering(status).reviews.whose('secret', null)).toBeNull()
  })

  test.each([undefined, { authenticated: 'yes' }, { authenticated: true, user: {} }])(
    'that says %j is not understood',
    async (status) => {
      await expect(answering(status).reviews.whose('secret', null)).rejects.toMatchObject({
        code: 'CLUSTER_UNAVAILABLE',
      })
    },
  )
})

describe('a review of rights', () => {
  test('is about all that is known of the subject', async () => {
    const { reviews, asked } = answering({ allowed: true })
    expect(await reviews.may(user, 'get')).toBe(true)
    expect(asked).toEqual([
      {
        path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: {
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SubjectAccessReview',
          spec: {
            user: 'jane',
            uid: '1',
            groups: ['a', 'b'],
            extra: { scopes: ['x'] },
            resourceAttributes: {
              group: 'virtualization.deckhouse.io',
              resource: 'clustervirtualimages',
              verb: 'get',
            },
          },
        },
      },
    ])
  })

  test('that says no is a no', async () => {
    expect(await answering({ allowed: false, denied: true }).reviews.may(user, '*')).toBe(false)
  })
})
