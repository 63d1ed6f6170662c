import { mkdir, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Failure } from '../../../src/errors.ts'
import { openLocalFile } from '../../../src/work/local-file.ts'
import { examineFile } from '../../../src/work/examine.ts'
import { corpus, limits } from '../../fixtures/corpus/corpus.ts'
import type { Member, Refused } from '../../fixtures/corpus/member.ts'
import { refused } from '../../fixtures/corpus/refused.ts'
import type { Bench } from '../bench.ts'
import { run } from '../command.ts'
import { fileProgram, missing, python, qemuImg } from '../programs.ts'
import type { Findings, Study } from '../study.ts'

/** What somebody says of a file; null is a refusal, and so is a program that crashes over it, which is in its favour. */
type Verdict = { readonly format: string; readonly size: number } | null
type Judge = {
  readonly name: string
  readonly judge: (path: string) => Promise<Verdict>
}

type Case = {
  readonly name: string
  readonly path: string
  readonly right: Verdict
  readonly kind: string
}

/** Whose answers are right, file by file: a wrong format or size, a refusal of what is good, an acceptance of what is not. */
export const verdicts: Study = {
  name: 'verdicts',
  title: 'wrong answers over one corpus (formats.md names what is right)',
  needs: [qemuImg, fileProgram],
  async run(bench) {
    const cases = await casesOf(bench)
    const judges = [slipway(bench), sampling(bench), ...(await oslo(bench))]
    const wrong = new Map(judges.map(({ name }) => [name, new Map<string, string[]>()]))
    for (const each of cases) {
      for (const { name, judge } of judges) {
        if (isRight(await judge(each.path), each.right)) continue
        const kinds = wrong.get(name)
        kinds?.set(each.kind, [...(kinds.get(each.kind) ?? []), each.name])
      }
    }
    return findings(cases, judges, wrong)
  },
}

function isRight(said: Verdict, right: Verdict): boolean {
  if (said === null || right === null) return said === right
  return said.format === right.format && said.size === right.size
}

/** The plain files: what is wrapped the others see only after somebody has unwrapped it. */
async function casesOf(bench: Omit<Bench, 'file'>): Promise<readonly Case[]> {
  const folder = join(bench.folder, 'verdicts')
  await mkdir(folder, { recursive: true })
  const good = await makeable(corpus.filter(({ name }) => !name.startsWith('wrapped-')))
  const bad = (await makeable(refused)).filter(({ row }) => row !== 11)
  const cases: Case[] = []
  for (const member of good) {
    const path = await member.make(folder)
    const size = await sizeOf(member, path, bench)
    const { format } = member.expected
    cases.push({ name: member.name, path, right: { format, size }, kind: `good ${format}` })
  }
  for (const member of bad) {
    const path = await member.make(folder)
    cases.push({ name: member.name, path, right: null, kind: `bad, ${member.expected}` })
  }
  return cases
}

async function makeable<Made extends Member | Refused>(members: readonly Made[]) {
  const found: Made[] = []
  for (const member of members) {
    const programs = member.programs.map((name) => ({ name, package: name }))
    if ((await missing(programs)).length === 0) found.push(member)
  }
  return found
}

const infoSchema = z.object({ format: z.string(), 'virtual-size': z.number() })

async function info(path: string, options: readonly string[], bench: Omit<Bench, 'file'>) {
  const args = ['info', ...options, '--output=json', path]
  return infoSchema.parse(JSON.parse(await run('qemu-img', args, bench.within, bench.signal)))
}

async function sizeOf({ expected }: Member, path: string, bench: Omit<Bench, 'file'>) {
  if (typeof expected.size === 'number') return expected.size
  if (expected.size === 'length') return (await stat(path)).size
  return (await info(path, ['-f', expected.size], bench))['virtual-size']
}

function slipway({ signal }: Omit<Bench, 'file'>): Judge {
  return {
    name: 'slipway',
    async judge(path) {
      await using file = await openLocalFile(path)
      try {
        const { format, unpackedBytes } = await examineFile(file, limits, signal)
        return { format, size: unpackedBytes }
      } catch (error) {
        if (error instanceof Failure && error.row.kind === 'flaw') return null
        throw error
      }
    },
  }
}

/** As the reference importer does it: qemu-img, which probes, and file, over the first 64 MiB of what comes. */
const sampleLength = 64 * 1024 * 1024

function sampling(bench: Omit<Bench, 'file'>): Judge {
  const sample = join(bench.folder, 'sample')
  return {
    name: 'qemu-img + file on 64 MiB',
    async judge(path) {
      const { size } = await stat(path)
      await copyStart(path, sample, Math.min(size, sampleLength))
      try {
        const { format, 'virtual-size': virtual } = await info(sample, [], bench)
        if (format !== 'raw') return { format: named(format), size: virtual }
        const told = await run('file', ['-b', sample], bench.within, bench.signal)
        return { format: /iso/i.test(told) ? 'iso' : 'raw', size }
      } catch {
        return null
      }
    },
  }
}

async function copyStart(from: string, to: string, length: number): Promise<void> {
  await using source = await open(from)
  await using target = await open(to, 'w')
  const piece = Buffer.alloc(1024 * 1024)
  for (let at = 0; at < length;) {
    const wanted = Math.min(piece.length, length - at)
    const { bytesRead } = await source.read(piece, 0, wanted, at)
    if (bytesRead === 0) break
    const bytes = piece.subarray(0, bytesRead)
    // Zeros are left out, as the corpus leaves them out: its large files have no data there.
    if (bytes.some((byte) => byte !== 0)) await target.write(bytes, 0, bytesRead, at)
    at += bytesRead
  }
  await target.truncate(length)
}

/** qemu's name for VHD; a partition table is content. */
function named(format: string): string {
  return format === 'vpc' ? 'vhd' : format === 'gpt' ? 'raw' : format
}

const script = `
import sys
from oslo_utils.imageutils import format_inspector as f
found = f.detect_file_format(sys.argv[1])
found.safety_check()
print(found, found.virtual_size)
`

/** OpenStack's inspector, where Python has it. */
async function oslo(bench: Omit<Bench, 'file'>): Promise<readonly Judge[]> {
  const call = (args: readonly string[]) => run('python3', args, bench.within, bench.signal)
  const found = await bench.unlessMissing([python], async () => {
    try {
      return await call(['-c', 'import oslo_utils.imageutils.format_inspector'])
    } catch {
      bench.say('left out: pip install oslo.utils')
      return null
    }
  })
  if (found === null) return []
  return [
    {
      name: 'oslo.utils',
      async judge(path) {
        try {
          const [format = '', virtual] = (await call(['-c', script, path])).trim().split(' ')
          // Of what has no size in a header it has read the start only; its callers take the file's length.
          const isFile = ['raw', 'gpt', 'iso'].includes(format)
          return { format: named(format), size: isFile ? (await stat(path)).size : Number(virtual) }
        } catch {
          return null
        }
      },
    },
  ]
}

type Wrong = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>

function findings(cases: readonly Case[], judges: readonly Judge[], wrong: Wrong): Findings {
  const kinds = [...new Set(cases.map(({ kind }) => kind))]
  const count = (judge: Judge, kind: string) => wrong.get(judge.name)?.get(kind)?.length ?? 0
  const rows = kinds.map((kind) => [
    kind,
    cases.filter((each) => each.kind === kind).length,
    ...judges.map((judge) => count(judge, kind)),
  ])
  const total = judges.map((judge) => kinds.reduce((sum, kind) => sum + count(judge, kind), 0))
  return {
    headings: ['', 'files', ...judges.map(({ name }) => name)],
    rows: [...rows, ['all', cases.length, ...total]],
    notes: judges.map(({ name }) => {
      const names = [...(wrong.get(name)?.values() ?? [])].flat()
      const some = names.length > 12 ? [...names.slice(0, 12), '…'] : names
      return `wrong with ${name}: ${names.length === 0 ? 'none' : some.join(', ')}`
    }),
  }
}
