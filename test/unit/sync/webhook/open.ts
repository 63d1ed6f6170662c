import { Agent, request } from 'undici'
import { Webhook, type WebhookOptions } from '../../../../src/sync/webhook.ts'
import { CompanionMetrics } from '../../../../src/sync/metrics.ts'
import { listening } from '../../serve/listener-under-test.ts'
import type { Certificates } from '../../source/certificates.ts'
import { asked, classesOf } from './asking.ts'

export const anywhere = { host: '127.0.0.1', port: 0 }

/** A certificate as the listener takes it. */
export const pairOf = ({ cert, key }: Certificates) => ({
  cert: Buffer.from(cert),
  key: Buffer.from(key),
})

export type Opening = Partial<Pick<WebhookOptions, 'api' | 'resources' | 'limits'>> & {
  readonly stored?: Parameters<typeof classesOf>[0]
}

/** A listener on loopback, a client that trusts it, and all that it tells. */
export async function open(certificates: Certificates, { stored = [], ...given }: Opening = {}) {
  const { log, lines } = listening()
  const metrics = new CompanionMetrics()
  const { api, resources } = classesOf(stored)
  const webhook = await Webhook.open(anywhere, { api, resources, metrics, log, ...given })
  webhook.use(pairOf(certificates))
  const agent = new Agent({ connect: { ca: certificates.ca } })
  const base = `https://127.0.0.1:${webhook.address.port}`
  const send = async (path: string, body: string | Buffer | AsyncIterable<Buffer>) => {
    const answer = await request(base + path, {
      method: 'POST',
      body: body as string,
      dispatcher: agent,
    })
    return { status: answer.statusCode, text: await answer.body.text() }
  }
  return {
    webhook,
    api,
    agent,
    base,
    lines,
    send,
    /** What is answered to a review, and how it was counted. */
    review: async (path: string, ...args: Parameters<typeof asked>) =>
      await send(path, JSON.stringify(reviewOf(...args))),
    /** Samples of `slipway_webhook_requests_total` by webhook and outcome. */
    counted: async () => {
      const { values } = await metrics.webhookRequests.get()
      return values.map(({ labels, value }) => [labels['webhook'], labels['outcome'], value])
    },
    text: () => metrics.text(),
    async [Symbol.asyncDispose]() {
      await agent.destroy()
      await webhook[Symbol.asyncDispose]()
    },
  }
}

export function reviewOf(...args: Parameters<typeof asked>) {
  const [apiVersion, kind] = ['admission.k8s.io/v1', 'AdmissionReview']
  return { apiVersion, kind, request: asked(...args) }
}
