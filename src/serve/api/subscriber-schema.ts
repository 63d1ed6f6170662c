import { z } from 'zod'
import { forms } from '../../work/notify/subscriber.ts'

const time = z.string().meta({ description: 'RFC 3339' })

export const subscriberSchema = z
  .object({
    name: z.string(),
    url: z.string().meta({ description: 'Without its query' }),
    form: z.enum(forms),
    events: z.array(z.string()),
    waiting: z.int().meta({ description: 'Events that are still to be delivered' }),
    undelivered: z.int().meta({ description: 'Events that were given up' }),
    oldest: time.optional().meta({ description: 'When the oldest that waits happened' }),
    lastDelivered: time.optional().meta({ description: 'Since the service was started' }),
    lastFailed: time.optional().meta({ description: 'Since the service was started' }),
    problem: z.string().optional().meta({ description: 'Why the last failure came about' }),
    nextTry: time.optional().meta({ description: 'Until when it is left alone after failures' }),
  })
  .meta({ id: 'Subscriber' })
export type SubscriberBody = z.input<typeof subscriberSchema>

export const subscribersSchema = z
  .object({ items: z.array(subscriberSchema) })
  .meta({ id: 'SubscriberList', description: 'By name' })

export const undeliveredQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,4}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(500))
    .default(100),
  continue: z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .optional()
    .meta({ description: '`continue` of the page before' }),
})

export const undeliveredSchema = z
  .object({
    items: z.array(
      z.object({
        id: z.string(),
        type: z.string(),
        subject: z.string().meta({ description: "The image's name or the repository" }),
        time,
        tries: z.int(),
        problem: z.string(),
      }),
    ),
    continue: z.string().optional(),
  })
  .meta({ id: 'UndeliveredEventList', description: 'The oldest first' })
export type UndeliveredBody = z.input<typeof undeliveredSchema>

export const redeliverRequest = z
  .strictObject({
    id: z.string().min(1).max(100).optional().meta({ description: 'One event; without it, all' }),
  })
  .meta({ id: 'Redelivery' })

export const redeliveredSchema = z
  .object({ events: z.int().meta({ description: 'How many are tried again' }) })
  .meta({ id: 'RedeliveryBegun' })

export const pingSchema = z
  .object({ delivered: z.boolean(), problem: z.string().optional() })
  .meta({ id: 'PingResult' })
