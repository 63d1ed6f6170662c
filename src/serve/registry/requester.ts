import type { Requester } from '../../catalog/notepad.ts'
import type { Call } from '../context.ts'

/** What is told of user agents: others have to keep it. */
const longest = 300

/** Who asks, for those who are told what has been done. */
export function requesterOf(c: Call): Requester {
  const { method, socket } = c.env.incoming
  return {
    id: c.get('requestId'),
    addr: c.get('address') ?? `${socket.remoteAddress}:${socket.remotePort}`,
    host: c.req.header('host') ?? '',
    method: method ?? '',
    userAgent: (c.req.header('user-agent') ?? '').slice(0, longest),
    name: c.get('caller').name ?? '',
  }
}
