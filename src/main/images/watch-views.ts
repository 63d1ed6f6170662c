import type { Change } from '../../client/changes.ts'
import { Columns, screenWidth, terminalSize } from '../columns.ts'
import { complain, written, type Form } from '../command.ts'
import { plain } from '../plain.ts'
import { Screen } from '../screen.ts'
import { heads, rowOf } from './row.ts'
import { documentOf } from './shown.ts'
import { Watched } from './watched.ts'

/** Shows what happens. */
export type View = Disposable & { readonly take: (change: Change) => Promise<void> }

export function viewIn(form: Form): View {
  return form === 'table' && process.stdout.isTTY ? new DrawnView() : new LineView(form)
}

class DrawnView implements View {
  readonly #watched = new Watched()
  readonly #screen = new Screen(process.stdout, () =>
    this.#watched.lines(Date.now(), terminalSize()),
  )
  /** Ages grow while nothing happens. */
  #aging: NodeJS.Timeout | null = null

  take(change: Change): Promise<void> {
    this.#watched.take(change)
    this.#aging ??= setInterval(() => this.#screen.draw(), 1000)
    this.#screen.draw()
    return Promise.resolve()
  }

  [Symbol.dispose](): void {
    if (this.#aging) clearInterval(this.#aging)
    this.#screen[Symbol.dispose]()
  }
}

/** What happens, one line after the other. */
class LineView implements View {
  readonly #form: Form
  readonly #columns = new Columns(heads, screenWidth())
  #isLost = false
  #hasHead = false

  constructor(form: Form) {
    this.#form = form
  }

  async take(change: Change): Promise<void> {
    if (change.kind === 'lost') return this.#lose(change.why.message)
    this.#isLost = false
    if (change.kind === 'found' || change.kind === 'settled') return
    if (this.#form === 'table') return await this.#row(change)
    if (this.#form === 'name') return await this.#name(change)
    const { kind: event, ...facts } = change
    const text = await documentOf({ event, ...facts }, this.#form)
    await written(this.#form === 'yaml' ? `---\n${text}` : text)
  }

  async #row(change: Change): Promise<void> {
    if (!this.#hasHead) await written(this.#columns.head())
    this.#hasHead = true
    if (change.kind === 'image') {
      await written(this.#columns.lines([rowOf(change.image, Date.now())]))
    }
    if (change.kind === 'deleted') await written(this.#columns.lines([[change.name, 'deleted']]))
  }

  async #name(change: Change): Promise<void> {
    if (change.kind === 'image') await written(`${plain(change.image.name)}\n`)
  }

  #lose(message: string): void {
    if (!this.#isLost) complain(`${message}; trying again`)
    this.#isLost = true
  }

  [Symbol.dispose](): void {}
}
