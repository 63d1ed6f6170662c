import {
  virtualMachineClassRules,
  virtualMachineClassSpec,
  virtualMachineClassStatus,
} from '../../machine/class-resource.ts'
import type { Kind } from './definition.ts'

/** Columns as the guide shows them. */
export const virtualMachineClass: Kind = {
  kind: 'VirtualMachineClass',
  singular: 'virtualmachineclass',
  plural: 'virtualmachineclasses',
  shortNames: ['vmc', 'vmclass'],
  version: 'v1alpha2',
  description:
    'Which processor virtual machines get, on which nodes they may run, and how large they may be',
  spec: virtualMachineClassSpec,
  status: virtualMachineClassStatus,
  rules: virtualMachineClassRules,
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    {
      name: 'IsDefault',
      type: 'string',
      jsonPath: String.raw`.metadata.annotations.virtualmachineclass\.virtualization\.deckhouse\.io/is-default-class`,
      priority: 1,
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
}
