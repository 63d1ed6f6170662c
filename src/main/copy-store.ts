import { Refusal } from '../errors.ts'
import { formatSize } from '../image/size.ts'
import type { CopyCounts, CopyProgress } from '../work/copy-store.ts'
import {
  complain,
  interrupted,
  none,
  outputOf,
  print,
  signalled,
  textOf,
  type Command,
  type Output,
} from './command.ts'

export const command: Command = {
  help: `slipway copy-store --from WHERE --to WHERE [--verify] [--replace] [--output json|table]

Copies all images from one storage to another, each blob verified on its way. WHERE is filesystem:PATH, a data folder, or
s3://BUCKET/PREFIX, where the settings say how the server is reached. The source may be served meanwhile. Run again, it goes
on where it was stopped, brings what came since, and removes from the target the records of what was deleted in the source.
The target must be empty or a copy of the same source that was not served yet, and must not be in use. Exit code 1 when a blob
is damaged in the source (it is left out, the others are copied), 130 when the copy was interrupted.

  --verify    read again what the target has already, and copy it anew where it is damaged
  --replace   the target may hold an older state of the same storage; what the source does not have goes from it
`,
  options: {
    from: { type: 'string' },
    to: { type: 'string' },
    verify: { type: 'boolean' },
    replace: { type: 'boolean' },
  },
  async run(operands, values) {
    none(operands, 'copy-store')
    const output = outputOf(values)
    const [from, to] = [textOf(values, 'from'), textOf(values, 'to')]
    if (from === undefined || to === undefined) {
      throw new Refusal('UNSUPPORTED', 'give --from and --to; try slipway copy-store --help')
    }
    const choice = { verify: values['verify'] === true, replaces: values['replace'] === true }
    return await copy(from, to, choice, output)
  },
}

type Choice = { readonly verify: boolean; readonly replaces: boolean }

async function copy(from: string, to: string, choice: Choice, output: Output): Promise<number> {
  const { openStoreAt } = await import('./store-at.ts')
  const { ProgressBar } = await import('./progress-bar.ts')
  const { copyStore } = await import('../work/copy-store.ts')
  await using source = await openStoreAt(from, 'read')
  await using target = await openStoreAt(to, 'write')
  if (source.place === target.place) {
    throw new Refusal('UNSUPPORTED', `--from and --to are the same: ${source.place}`)
  }
  const stopping = new AbortController()
  void signalled().then((signal) => stopping.abort(new Interrupted(signal)))
  using bar = new ProgressBar()
  const options = {
    ...choice,
    from: source.store,
    to: target.store,
    place: source.place,
    onProgress: (progress: CopyProgress) => bar.show(shareOf(progress), textOfProgress(progress)),
    onProblem: (problem: string) => bar.say(problem),
  }
  try {
    const counts = await copyStore(options, stopping.signal)
    bar[Symbol.dispose]()
    return tell(counts, output)
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    bar[Symbol.dispose]()
    complain(`stopped by ${error.signal}; run the command again to go on`)
    return interrupted
  }
}

class Interrupted extends Error {
  readonly signal: NodeJS.Signals

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`)
    this.signal = signal
  }
}

function shareOf({ bytes, total }: CopyProgress): number {
  return total === 0 ? 1 : bytes / total
}

function textOfProgress({ bytes, total, copied, present, records }: CopyProgress): string {
  return `${formatSize(bytes)} of ${formatSize(total)}, ${copied} blobs copied, ${present} there already, ${records} records`
}

function tell(counts: CopyCounts, output: Output): number {
  const { copied, present, gone, unreadable, records, removed, leftOut } = counts
  if (output === 'json') {
    print(`${JSON.stringify(counts)}\n`)
  } else {
    print(`blobs:   ${copied} copied, ${present} there already, ${gone} deleted meanwhile\n`)
    print(`records: ${records} written, ${removed} removed\n`)
    if (unreadable > 0) print(`damaged: ${unreadable} blobs, and ${leftOut} records left out\n`)
  }
  return unreadable + leftOut > 0 ? 1 : 0
}
