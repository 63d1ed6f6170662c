import { formats } from '../../src/image/format.ts'
import { corpus } from '../fixtures/corpus/corpus.ts'
import { makeable, Workbench } from '../support/corpus.ts'
import { flip, isQuick, together, told, type FlipReport } from '../support/flips.ts'

/*
 * The long form of test/contract/bit-flips.test.ts: every member of the corpus, so many times, from another seed each day.
 *
 *   node test/campaign/bit-flips.ts [runs for each member] [seed]
 */
const runs = Number(process.argv[2] ?? 1000)
const seed = Number(process.argv[3] ?? Math.floor(Date.now() / 86_400_000))
const longest = 1000

console.info(`${runs} runs for each of ${corpus.length} files, seed ${seed}`)
const members = makeable(corpus)
const reports: { readonly format: string; readonly report: FlipReport }[] = []
await using bench = await Workbench.of(members)
for (const member of members) {
  const path = await bench.pathOf(member)
  // A tenth of the runs where each starts a thread.
  const report = await flip(member, path, isQuick(member) ? runs : Math.ceil(runs / 10), seed)
  reports.push({ format: member.expected.format, report })
  if (report.slowest < longest && !report.answers.has('INTERNAL')) continue
  console.error(member.name, told(report))
  process.exitCode = 1
}

const lines = formats.map((format) => {
  const of = reports.filter((each) => each.format === format)
  return [format, told(together(of.map(({ report }) => report)))] as const
})
console.table(Object.fromEntries(lines))
