import { z } from 'zod'
import { Outage } from '../../errors.ts'

/** Whom the API server knows by a token, as it has to be asked about again. */
export type Subject = z.output<typeof subjectSchema>

/** The two questions that the API server answers about callers. Both may throw Outage CLUSTER_UNAVAILABLE. */
export interface Reviews {
  /**
   * Whose token this is, null when it is nobody's.
   * @param audience whom it has to be meant for; null: the API server itself
   */
  whose(token: string, audience: string | null): Promise<Subject | null>
  /** Whether one may do this with the custom resource. @param verb as RBAC names it, `*` for all there are and will be */
  may(subject: Subject, verb: string): Promise<boolean>
}

/** What images are in the cluster, as rights name it. */
export const resource = {
  group: 'virtualization.deckhouse.io',
  resource: 'clustervirtualimages',
} as const

const subjectSchema = z.object({
  username: z.string().min(1),
  uid: z.string().optional(),
  groups: z.array(z.string()).optional(),
  extra: z.record(z.string(), z.array(z.string())).optional(),
})

const tokenReview = z.object({
  status: z.object({
    authenticated: z.boolean().default(false),
    user: z.unknown().optional(),
    audiences: z.array(z.string()).default([]),
  }),
})

const accessReview = z.object({ status: z.object({ allowed: z.boolean() }) })

/** Creates an object and answers with what it has become. @throws Outage CLUSTER_UNAVAILABLE */
export type Post = (path: string, body: object) => Promise<unknown>

/** TokenReview of authentication.k8s.io/v1 and SubjectAccessReview of authorization.k8s.io/v1. */
export class ClusterReviews implements Reviews {
  readonly #post: Post

  constructor(post: Post) {
    this.#post = post
  }

  async whose(token: string, audience: string | null): Promise<Subject | null> {
    const answer = await this.#post('/apis/authentication.k8s.io/v1/tokenreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token, ...(audience !== null && { audiences: [audience] }) },
    })
    const { authenticated, user, audiences } = understood(tokenReview, answer).status
    // An API server that knows nothing of audiences tells of none, and has not looked.
    if (!authenticated || (audience !== null && !audiences.includes(audience))) return null
    return understood(subjectSchema, user)
  }

  async may({ username, ...rest }: Subject, verb: string): Promise<boolean> {
    const answer = await this.#post('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: username, ...rest, resourceAttributes: { ...resource, verb } },
    })
    return understood(accessReview, answer).status.allowed
  }
}

function understood<Value>(schema: z.ZodType<Value>, value: unknown): Value {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const message = 'the API server answered a review in a way that is not known here'
  throw new Outage('CLUSTER_UNAVAILABLE', message, { cause: result.error })
}
