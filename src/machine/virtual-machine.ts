import { z } from 'zod'
import { quantitySchema } from './quantity.ts'
import { fractionNumber } from './sizing-policy.ts'
import { apiVersion } from './virtual-machine-class.ts'

const wrong = 'must be a percentage from "1%" to "100%", or a number from 1 to 100'

const coreFraction = z
  .union(
    [
      fractionNumber,
      z
        .string()
        .regex(/^(?:[1-9]\d?|100)%$/)
        .transform((text) => Number(text.slice(0, -1))),
    ],
    wrong,
  )
  .meta({ description: 'A percentage of each core', example: '10%' })

/** What is read of a VirtualMachine to say whether it fits its class. Cores of 0 fit none, and are no mistake of the form. */
export const virtualMachineSchema = z
  .object({
    apiVersion,
    kind: z.literal('VirtualMachine'),
    metadata: z.object({ name: z.string().max(253).optional() }).optional(),
    spec: z.object({
      virtualMachineClassName: z.string().max(253).optional(),
      cpu: z.object({
        cores: z.int('must be a whole number'),
        coreFraction: coreFraction.optional(),
        dedicatedCores: z.boolean('must be true or false').optional(),
      }),
      memory: z.object({ size: quantitySchema }),
    }),
  })
  .meta({ id: 'VirtualMachine' })

export type VirtualMachine = z.output<typeof virtualMachineSchema>
