import type { Occurrence } from '../report.ts'
import type { MachineClass } from './resource.ts'
import type { Said } from './status.ts'

/** Of nodes that came or went, so many are named. */
const mostNamed = 20

/** What happened to the nodes of a class between the status that was written last and the one that is to be written. */
export function ofNodes({ status, metadata }: MachineClass, after: Said): readonly Occurrence[] {
  const [was, is] = [new Set(status?.availableNodes), new Set(after.availableNodes)]
  const [added, removed] = [is.difference(was), was.difference(is)]
  const key = metadata.resourceVersion
  if (added.size === 0 && removed.size === 0) return []
  if (is.size === 0)
    return [{ reason: 'AvailableNodesListEmpty', type: 'Warning', key, message: empty }]
  const changes = [...shown('added', added), ...shown('removed', removed)].join('; ')
  const message = `${is.size} node(s) are available now; ${changes}`
  return [{ reason: 'NodesWereUpdated', type: 'Normal', key, message }]
}

const empty = 'no node is available for this class any more; its condition Ready tells why'

function shown(what: string, names: ReadonlySet<string>): readonly string[] {
  if (names.size === 0) return []
  const more = names.size > mostNamed ? ', …' : ''
  return [`${what} ${[...names].slice(0, mostNamed).join(', ')}${more}`]
}

export function ofPolicies({ metadata: { generation = 1 } }: MachineClass): Occurrence {
  return {
    reason: 'SizingPoliciesWereChanged',
    type: 'Normal',
    key: String(generation),
    message:
      'machines are held against the new sizing policies; each tells by its condition SizingPolicyMatched whether it fits them',
  }
}
