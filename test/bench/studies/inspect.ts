import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { inspectSparsely } from '../../../src/inspect/sparse.ts'
import { survey, type WholeFile } from '../../../src/inspect/survey.ts'
import { corpus, limits } from '../../fixtures/corpus/corpus.ts'
import type { Member } from '../../fixtures/corpus/member.ts'
import type { Bench } from '../bench.ts'
import { run } from '../command.ts'
import { fileProgram, qemuImg } from '../programs.ts'
import { median } from '../statistics.ts'
import type { Findings, Study } from '../study.ts'

/** Each format in the shapes that people have. */
const shapes: ReadonlySet<string> = new Set([
  'qcow2-uncompressed.qcow2',
  'qcow2-compressed-zstd.qcow2',
  'vmdk-sparse-data.vmdk',
  'vmdk-stream.vmdk',
  'vdi-dynamic-data.vdi',
  'vhd-dynamic-data.vhd',
  'vhd-fixed.vhd',
  'raw-gpt.img',
  'iso-debian.iso',
  'udf-2048.iso',
  'vhdx-dynamic-data.vhdx',
])

/** qemu-img's name for a format. */
const names: { readonly [format: string]: string } = { vhd: 'vpc', iso: 'raw' }

/** How long it takes to say what a file is, in the process that already runs, beside programs that have to be started. */
export const inspect: Study = {
  name: 'inspect',
  title: 'what a file is: milliseconds a file, the median, and bytes read of it',
  needs: [qemuImg, fileProgram],
  async run(bench) {
    const rows: (string | number)[][] = []
    const ratios: number[] = []
    for (const member of oneOfEach()) {
      const measured = await measure(member, bench)
      ratios.push(measured.qemu / measured.slipway)
      rows.push(cells(member.name, measured))
      bench.say(rows.at(-1)?.join('  ') ?? '')
    }
    return findings(rows, ratios)
  },
}

/** The shapes that are named, and the first member of every format that none of them has. */
function oneOfEach(): readonly Member[] {
  const named = corpus.filter(({ name }) => shapes.has(name))
  const rest = corpus.filter(({ name }) => !name.startsWith('wrapped-'))
  const formats = [...new Set(rest.map(({ expected }) => expected.format))]
  const missing = formats.flatMap((format) =>
    named.some(({ expected }) => expected.format === format)
      ? []
      : rest.filter(({ expected }) => expected.format === format).slice(0, 2),
  )
  return [...named, ...missing]
}

type Measured = {
  readonly slipway: number
  readonly qemu: number
  readonly file: number
  readonly bytes: number
  readonly size: number
}

async function measure(member: Member, bench: Omit<Bench, 'file'>): Promise<Measured> {
  const folder = join(bench.folder, 'inspect')
  await mkdir(folder, { recursive: true })
  const path = await member.make(folder)
  const format = names[member.expected.format] ?? member.expected.format
  const times = { slipway: [] as number[], qemu: [] as number[], file: [] as number[] }
  let seen = { bytes: 0, size: 0 }
  // A service has judged files before this one. The first round warms the page cache for all three alike.
  for (let warm = 0; warm < 10; warm += 1) await look(path, bench.signal)
  for (let round = -1; round < bench.rounds * 5; round += 1) {
    const counted = round >= 0
    const own = await timed(async () => void (seen = await look(path, bench.signal)))
    const qemu = await timed(() =>
      run('qemu-img', ['info', '-f', format, '--output=json', path], bench.within, bench.signal),
    )
    const file = await timed(() => run('file', ['-b', path], bench.within, bench.signal))
    if (!counted) continue
    times.slipway.push(own)
    times.qemu.push(qemu)
    times.file.push(file)
  }
  return {
    slipway: median(times.slipway),
    qemu: median(times.qemu),
    file: median(times.file),
    ...seen,
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** Opens the file, judges it as an import does, its tables included, and counts what was read. */
async function look(path: string, signal: AbortSignal): Promise<{ bytes: number; size: number }> {
  await using handle = await open(path)
  const { size } = await handle.stat()
  let bytes = 0
  const whole: WholeFile = {
    size,
    async read(offset, length) {
      const wanted = Math.max(0, Math.min(length, size - offset))
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(wanted), 0, wanted, offset)
      bytes += bytesRead
      return buffer
    },
  }
  const { format } = await inspectSparsely(whole, limits, signal)
  await survey(format, whole, signal)
  return { bytes, size }
}

function cells(name: string, { slipway, qemu, file, bytes, size }: Measured) {
  const shown = (time: number) => time.toFixed(2)
  return [name, shown(slipway), shown(qemu), shown(file), bytes, size]
}

function findings(rows: Findings['rows'], ratios: readonly number[]): Findings {
  const worst = Math.min(...ratios)
  return {
    headings: ['', 'slipway', 'qemu-img info', 'file', 'bytes read', 'of'],
    rows,
    notes: [
      `target: faster than starting qemu-img, for every file: ${worst.toFixed(1)} times at the least, ${worst > 1 ? 'met' : 'MISSED'}`,
    ],
  }
}
