import { EventEmitter } from 'node:events'

/** A screen whose width changes, and a clock that is turned by hand. */
export class Screen extends EventEmitter {
  readonly isTTY: boolean
  columns: number
  written = ''
  time = 0

  constructor(isTTY: boolean, columns: number) {
    super()
    this.isTTY = isTTY
    this.columns = columns
  }

  write(text: string): boolean {
    this.written += text
    return true
  }

  resize(columns: number): string {
    this.written = ''
    this.columns = columns
    this.emit('resize')
    return this.written
  }
}
