import { Hono } from 'hono'
import { evaluate } from '../../machine/evaluate.ts'
import type { Env, Routes } from '../context.ts'
import { only } from '../methods.ts'
import { body } from './asked.ts'
import { evaluateRequest, type EvaluationBody } from './machine-class-schema.ts'

/** `/api/v1/virtual-machine-classes` (vmclass). A machine that does not fit is an answer, not an error of the request. */
export function machineClassRoutes(): Routes {
  return new Hono<Env>()
    .post('/evaluate', async (c) => {
      const asked = await body(c, evaluateRequest)
      const violations = evaluate(asked.class, asked.machine)
      c.header('cache-control', 'no-store')
      return c.json({ fits: violations.length === 0, violations } satisfies EvaluationBody)
    })
    .all('/evaluate', only('POST'))
}
