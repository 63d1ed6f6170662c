import {
  clusterVirtualImageRules,
  clusterVirtualImageSpec,
  clusterVirtualImageStatus,
} from '../../image/cluster-virtual-image.ts'
import type { Kind } from './definition.ts'

/** Columns as the guide shows them. */
export const clusterVirtualImage: Kind = {
  kind: 'ClusterVirtualImage',
  singular: 'clustervirtualimage',
  plural: 'clustervirtualimages',
  shortNames: ['cvi'],
  version: 'v1alpha2',
  description: 'An image of a disk or of a CD that virtual machines of all namespaces can use',
  spec: clusterVirtualImageSpec,
  status: clusterVirtualImageStatus,
  rules: clusterVirtualImageRules,
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'CDROM', type: 'boolean', jsonPath: '.status.cdrom' },
    { name: 'Progress', type: 'string', jsonPath: '.status.progress' },
    { name: 'StoredSize', type: 'string', jsonPath: '.status.size.stored', priority: 1 },
    { name: 'UnpackedSize', type: 'string', jsonPath: '.status.size.unpacked', priority: 1 },
    { name: 'Registry URL', type: 'string', jsonPath: '.status.target.registryURL', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
}
