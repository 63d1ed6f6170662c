import { dump } from 'js-yaml'
import { clusterVirtualImage } from './cluster-virtual-image.ts'
import { virtualMachineClass } from './virtual-machine-class.ts'
import { definition, type Kind } from './definition.ts'

/** Every kind of custom resource, with its definition. */
export const kinds: readonly Kind[] = [clusterVirtualImage, virtualMachineClass]

/** One YAML document, the same for the same kind. */
export function definitionText(kind: Kind): string {
  return `---\n${dump(definition(kind), { noRefs: true, lineWidth: 100 })}`
}
