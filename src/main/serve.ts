import type { Settings } from '../env.ts'
import { untraced } from '../traces.ts'
import { none, signalled, withSettings, type Command } from './command.ts'

export const command: Command = {
  help: `slipway serve

Runs the service until SIGTERM or SIGINT. It listens on SLIPWAY_LISTEN and keeps everything under SLIPWAY_DATA_DIR.
`,
  options: {},
  async run(operands) {
    none(operands, 'serve')
    return await serve(await withSettings())
  },
}

async function serve(settings: Settings): Promise<number> {
  const { openLog } = await import('../log.ts')
  const { openService } = await import('../app.ts')
  const { hostPort } = await import('../env.ts')
  const { isTraced, openTraces } = await import('../app/traces.ts')
  let traces = untraced
  const also = isTraced(settings) ? () => traces.ids() ?? {} : null
  const log = openLog({ level: settings.logLevel, format: settings.logFormat, also })
  await using tracing = await openTraces({ settings, name: 'slipway', own: null }, log)
  ;({ traces } = tracing)
  const told = signalled()
  const service = await openService(settings, log, tracing)
  log.info({ listen: hostPort(service.address), data: settings.dataDir }, 'slipway is ready')
  log.info({ signal: await told }, 'stopping')
  await service.stop()
  log.info('stopped')
  return 0
}
