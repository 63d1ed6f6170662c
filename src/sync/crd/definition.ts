import type { z } from 'zod'
import type { Rule } from '../../image/cluster-virtual-image.ts'
import { structural, type Structural } from './structural.ts'

/** A column of `kubectl get`; those of priority 1 are shown by `-o wide`. */
export type Column = {
  readonly name: string
  readonly type: 'string' | 'boolean' | 'date'
  readonly jsonPath: string
  readonly priority?: 1
}

/** One kind of custom resource, of cluster scope. */
export type Kind = {
  readonly kind: string
  readonly singular: string
  readonly plural: string
  readonly shortNames: readonly string[]
  readonly version: string
  readonly description: string
  readonly spec: z.ZodType
  readonly status: z.ZodType
  /** What spec and status cannot say alone. */
  readonly rules: readonly Rule[]
  readonly columns: readonly Column[]
}

export const group = 'virtualization.deckhouse.io'

/** The CustomResourceDefinition of a kind, apiextensions.k8s.io/v1. */
export function definition(kind: Kind) {
  const { plural, singular, shortNames } = kind
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      labels: { 'app.kubernetes.io/name': 'slipway' },
    },
    spec: {
      group,
      scope: 'Cluster',
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular,
        shortNames,
        categories: ['virtualization'],
      },
      versions: [version(kind)],
    },
  }
}

function version(kind: Kind) {
  return {
    name: kind.version,
    served: true,
    storage: true,
    subresources: { status: {} },
    additionalPrinterColumns: kind.columns,
    schema: { openAPIV3Schema: whole(kind) },
  }
}

function whole({ description, spec, status, rules }: Kind): Structural {
  return {
    type: 'object',
    description,
    required: ['spec'],
    'x-kubernetes-validations': rules,
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 253 } } },
      spec: structural(spec, 'closed'),
      status: structural(status, 'open'),
    },
  }
}
