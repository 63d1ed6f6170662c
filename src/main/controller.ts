import type { CompanionSettings } from '../env.ts'
import { Refusal } from '../errors.ts'
import { untraced } from '../traces.ts'
import { none, signalled, trust, type Command } from './command.ts'

export const command: Command = {
  help: `slipway controller

Keeps the ClusterVirtualImages of a Kubernetes cluster in step with the service at SLIPWAY_URL (without it,
http://127.0.0.1:8080), and its VirtualMachineClasses with its nodes, until SIGTERM or SIGINT. It finds the API server by
KUBECONFIG, by the pod's service account, or in ~/.kube/config. Of several, one leads. Health and metrics are at
SLIPWAY_CONTROLLER_LISTEN. At SLIPWAY_WEBHOOK_LISTEN, each answers the API server's questions (admission) about machines and
classes.
`,
  options: {},
  async run(operands) {
    none(operands, 'controller')
    return await control(await companionSettings())
  },
}

/** @throws Refusal with a line for each setting that is wrong */
async function companionSettings(): Promise<CompanionSettings> {
  const { readCompanionSettings } = await import('../env.ts')
  const { settings, problems } = readCompanionSettings(process.env)
  if (!settings) throw new Refusal('UNSUPPORTED', problems.join('\n'))
  await trust(settings)
  return settings
}

async function control(settings: CompanionSettings): Promise<number> {
  const { openLog } = await import('../log.ts')
  const { openController, usualService } = await import('../app/controller.ts')
  const { hostPort } = await import('../env.ts')
  const { isTraced, openTraces } = await import('../app/traces.ts')
  let traces = untraced
  const also = isTraced(settings) ? () => traces.ids() ?? {} : null
  const log = openLog({ level: settings.logLevel, format: settings.logFormat, also })
  const own = settings.url ?? usualService
  await using tracing = await openTraces({ settings, name: 'slipway-controller', own }, log)
  ;({ traces } = tracing)
  const told = signalled()
  await using controller = await openController(settings, log, traces)
  const { address, webhook, server, service } = controller
  const places = { health: hostPort(address), ...(webhook && { webhook: hostPort(webhook) }) }
  log.info({ ...places, server, service }, 'slipway controller has begun')
  // It ends before the signal only by an error, which is this program's.
  const signal = await Promise.race([told, controller.ended])
  log.info({ signal }, 'stopping')
  await controller.stop()
  log.info('stopped')
  return 0
}
