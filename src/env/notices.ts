import { optional } from './setting.ts'
import { file } from './texts.ts'

/** Who is told what happens here. */
export const noticeSettings = {
  subscribersFile: optional(
    'SLIPWAY_SUBSCRIBERS_FILE',
    'a file',
    'who is told of events by webhooks, as JSON or YAML; re-read when it changes',
    file,
  ),
} as const
