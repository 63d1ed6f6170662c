import type { Group } from './commands.ts'

/** The commands for people: they speak to a service by REST (operations, "Commands"). */
export const command: Group = {
  about: `slipway images works with the images of a service.
`,
  notes: `They ask the service at SLIPWAY_URL (without it, http://127.0.0.1:8080) and show it the token in SLIPWAY_TOKEN or SLIPWAY_TOKEN_FILE.
`,
  entries: [],
}
