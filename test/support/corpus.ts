import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Member, Refused } from '../fixtures/corpus/member.ts'
import { packages, type Program } from '../fixtures/corpus/programs.ts'
import { eachByHands } from '../fixtures/corpus/workbench.ts'
import { needs } from './programs.ts'

type Made = Pick<Member | Refused, 'programs' | 'make'>

const asked = new Map<Program, boolean>()

function isThere(program: Program): boolean {
  const known = asked.get(program)
  if (known !== undefined) return known
  const answer = needs(program, `apt-get install ${packages[program]}`)
  asked.set(program, answer)
  return answer
}

/**
 * Those whose programs this machine has.
 * @throws Error when one is missing and CI is set
 */
export function makeable<Member extends Made>(members: readonly Member[]): readonly Member[] {
  return members.filter(({ programs }) => programs.every(isThere))
}

/** The files of all members, which begin to be made at once; each is awaited by whoever needs it. */
export class Workbench<Member extends Made> implements AsyncDisposable {
  readonly #folder: string
  readonly #files: ReadonlyMap<Member, Promise<string>>

  private constructor(folder: string, files: ReadonlyMap<Member, Promise<string>>) {
    this.#folder = folder
    this.#files = files
  }

  static async of<Member extends Made>(members: readonly Member[]): Promise<Workbench<Member>> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-corpus-'))
    return new Workbench(
      folder,
      eachByHands(members, (member) => member.make(folder)),
    )
  }

  /** @throws Error what went wrong in making it */
  async pathOf(member: Member): Promise<string> {
    const path = await this.#files.get(member)
    if (path === undefined) throw new Error('it is not on this bench')
    return path
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#files.values())
    await rm(this.#folder, { recursive: true })
  }
}
