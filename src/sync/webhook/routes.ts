import { Hono, type Context } from 'hono'
import { asFailure, Outage, Refusal, type Failure } from '../../errors.ts'
import { parsed } from '../../kube/answers.ts'
import type { Log } from '../../log.ts'
import { unless } from '../../unless.ts'
import type { CompanionMetrics } from '../metrics.ts'
import { cut, problemsIn, shown } from '../virtual-machine-class/words.ts'
import { Bodies, type BodyLimits } from './bodies.ts'
import { defaultMachine } from './default-machine.ts'
import { KnownClasses, type KnownClassesOptions } from './known-classes.ts'
import { answerTo, nameOf, reviewSchema, type Asked, type Verdict } from './review.ts'
import { validateClass } from './validate-class.ts'
import { validateMachine } from './validate-machine.ts'

export type ReviewLimits = BodyLimits & {
  /** From the whole body to the answer, in milliseconds. */
  readonly answeredWithin: number
}

export type RoutesOptions = KnownClassesOptions & {
  readonly metrics: Pick<CompanionMetrics, 'webhookRequests' | 'webhookSeconds'>
  readonly log: Log
  readonly limits: ReviewLimits
}

/** One path that the API server asks at. */
type Door = {
  readonly webhook: string
  /** Of the objects. */
  readonly kind: string
  readonly judge: (asked: Asked, classes: KnownClasses, signal: AbortSignal) => Promise<Verdict>
}

const doors: readonly Door[] = [
  {
    webhook: 'validate-virtualmachineclasses',
    kind: 'VirtualMachineClass',
    judge: validateClass,
  },
  { webhook: 'default-virtualmachines', kind: 'VirtualMachine', judge: defaultMachine },
  { webhook: 'validate-virtualmachines', kind: 'VirtualMachine', judge: validateMachine },
]

type Env = { readonly Variables: { readonly verdict?: Verdict } }

/**
 * Reviews, and their answers. What is no review is 400, or 413 where it is too large, and 429 when too much is asked at the same
 * time. A review that nobody could decide upon is 500: what becomes of the object is then up to the webhook's failurePolicy.
 */
export function routesOf(options: RoutesOptions): Hono<Env> {
  const { metrics, limits } = options
  const ground = { ...options, classes: new KnownClasses(options), bodies: new Bodies(limits) }
  const routes = new Hono<Env>()
  for (const door of doors) {
    const { webhook } = door
    routes.post(
      `/${webhook}`,
      async (c, next) => {
        const end = metrics.webhookSeconds.startTimer({ webhook })
        await next()
        end()
        metrics.webhookRequests.inc({ webhook, outcome: outcomeOf(c) })
      },
      (c) => answer(c, door, ground),
    )
  }
  const paths = doors.map(({ webhook }) => `POST /${webhook}`).join(', ')
  routes.notFound((c) => c.text(`there is ${paths}\n`, 404))
  routes.onError((error, c) => refuse(error, c, options.log))
  return routes
}

function outcomeOf(c: Context<Env>): string {
  return c.get('verdict')?.outcome ?? (c.res.status < 500 ? 'invalid' : 'failed')
}

type Ground = RoutesOptions & { readonly classes: KnownClasses; readonly bodies: Bodies }

async function answer(c: Context<Env>, door: Door, ground: Ground): Promise<Response> {
  const { classes, bodies, limits, log } = ground
  using body = bodies.open()
  const asked = reviewIn(await body.text(c.req.raw.body), door)
  const judging = judge(asked, door, classes, limits, c.req.raw.signal)
  const verdict = await unless(body.signal, judging)
  c.set('verdict', verdict)
  tell(verdict, asked, door, log)
  return c.json(answerTo(asked, verdict))
}

/** @throws Refusal INVALID_REQUEST for what is no review of the objects that are judged here */
function reviewIn(text: string, { webhook, kind }: Door): Asked {
  const { data, error } = reviewSchema.safeParse(parsed(text))
  if (!data) {
    const why = shown(problemsIn(error))
    throw new Refusal(
      'INVALID_REQUEST',
      `this is no AdmissionReview of admission.k8s.io/v1: ${why}`,
    )
  }
  const given = data.request.kind.kind
  if (given === kind) return data.request
  throw new Refusal('INVALID_REQUEST', `/${webhook} is for ${kind}, and not for ${given}`)
}

async function judge(
  asked: Asked,
  door: Door,
  classes: KnownClasses,
  { answeredWithin }: ReviewLimits,
  waiting: AbortSignal,
): Promise<Verdict> {
  const late = AbortSignal.timeout(answeredWithin)
  const signal = AbortSignal.any([waiting, late])
  try {
    return await unless(signal, door.judge(asked, classes, signal))
  } catch (cause) {
    if (waiting.aborted) throw interrupted(cause)
    if (!late.aborted) throw cause
    const message = `the API server did not answer within ${answeredWithin / 1000} seconds`
    throw new Outage('CLUSTER_UNAVAILABLE', message, { cause })
  }
}

function interrupted(cause: unknown): Outage {
  return new Outage('CLUSTER_UNAVAILABLE', 'whoever asked for the review waits no more', { cause })
}

function tell(verdict: Verdict, asked: Asked, { webhook }: Door, log: Log): void {
  if (verdict.outcome !== 'denied') return
  const { namespace, userInfo } = asked
  const codes = [...new Set(verdict.causes.map(({ code }) => code))]
  const user = cut(userInfo?.username ?? '')
  log.info({ webhook, user, name: cut(nameOf(asked)), namespace, codes }, 'admission was refused')
}

function refuse(error: Error, c: Context<Env>, log: Log): Response {
  const failure = c.req.raw.signal.aborted ? interrupted(error) : asFailure(error)
  const { path } = c.req
  const status = statusOf(failure)
  if (status !== 500) {
    const reason = failure.message
    log.warn({ reason, path }, 'a request for admission was turned away')
    // Whatever else of it is on its way is not read.
    return c.text(`${reason}\n`, status, { connection: 'close' })
  }
  const level = failure.row.kind === 'bug' ? 'error' : 'warn'
  log[level]({ err: failure, path }, 'nothing was decided about an admission')
  return c.text(`${failure.message}\n`, 500)
}

function statusOf({ code }: Failure): 400 | 413 | 429 | 500 {
  if (code === 'INVALID_REQUEST') return 400
  if (code === 'CONTENT_TOO_LARGE') return 413
  return code === 'TOO_MANY_REQUESTS' ? 429 : 500
}
