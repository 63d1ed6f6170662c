import { fileURLToPath } from 'node:url'
import type { Cluster } from '../../support/cluster/cluster.ts'
import { freePort, Server } from './server.ts'

const program = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))

/** The companion of this checkout. @param service where the service is */
export async function startCompanion(
  cluster: Cluster,
  service: string,
  signal: AbortSignal,
): Promise<Server> {
  const listen = `127.0.0.1:${await freePort()}`
  const env = {
    KUBECONFIG: cluster.kubeconfig,
    SLIPWAY_URL: service,
    SLIPWAY_CONTROLLER_LISTEN: listen,
    SLIPWAY_LOG_LEVEL: 'warn',
  }
  const args = [program, 'controller']
  const ready = `http://${listen}/readyz`
  return await Server.start({ program: process.execPath, args, env, ready }, signal)
}
