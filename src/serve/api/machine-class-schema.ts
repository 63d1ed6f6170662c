import { z } from 'zod'
import { isNamed } from '../../machine/choose-class.ts'
import { violationCodes } from '../../machine/violation.ts'
import { virtualMachineClassSchema } from '../../machine/virtual-machine-class.ts'
import { virtualMachineSchema } from '../../machine/virtual-machine.ts'

/** A machine that names no class is judged by the one beside it. */
export const evaluateRequest = z
  .strictObject({ class: virtualMachineClassSchema, machine: virtualMachineSchema })
  .superRefine((asked, context) => {
    const { name } = asked.class.metadata
    const wanted = asked.machine.spec.virtualMachineClassName
    if (!isNamed(wanted) || wanted === name) return
    context.addIssue({
      code: 'custom',
      path: ['machine', 'spec', 'virtualMachineClassName'],
      message: `names "${wanted}", and the class here is "${name}"`,
    })
  })
  .meta({ id: 'MachineAndClass' })

export const evaluationSchema = z
  .object({
    fits: z.boolean(),
    violations: z
      .array(
        z.object({
          code: z.enum(violationCodes),
          path: z.string().meta({ description: 'The field of the machine to change' }),
          message: z.string(),
        }),
      )
      .meta({ description: 'All that there are; none when it fits' }),
  })
  .meta({ id: 'Evaluation' })
export type EvaluationBody = z.input<typeof evaluationSchema>
