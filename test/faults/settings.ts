import { trials, type TrialName } from './trials.ts'

/** Files of trials that run at the same time in a campaign. */
export const workers = 2

/** The seed where nobody asks for another one. */
export const usualSeed = 20_271

const { env } = process
const wanted = (env['CAMPAIGN_TRIALS'] ?? '').split(' ').filter((name) => name !== '')

/** What `npm run campaign` tells the trials; without it they do what CI does. */
export const settings = {
  seed: Number(env['CAMPAIGN_SEED'] ?? usualSeed),
  /** Null: so many rounds as the table says. */
  minutes: env['CAMPAIGN_MINUTES'] === undefined ? null : Number(env['CAMPAIGN_MINUTES']),
  /** The first round. */
  from: Number(env['CAMPAIGN_FROM'] ?? 0),
  /** A file that takes a line for each trial. */
  report: env['CAMPAIGN_REPORT'],
  isWanted: (name: TrialName) => wanted.length === 0 || wanted.includes(name),
}

/** Milliseconds that a trial may take of the campaign; null without one. */
export function lengthOf(name: TrialName): number | null {
  const { minutes } = settings
  if (minutes === null) return null
  const names = Object.keys(trials).filter((each): each is TrialName => each in trials)
  const shares = names.filter(settings.isWanted).map((each) => trials[each].share)
  const all = shares.reduce((sum: number, share) => sum + share, 0)
  const side = Math.min(workers, shares.length)
  return (minutes * 60_000 * side * trials[name].share) / all
}
