import type { Socket } from 'node:net'

/**
 * Connections that are open, as they were accepted, before their handshakes. Of too many, whoever has most loses the newest: one
 * pod that opens all it can does not keep the API server out.
 */
export class Crowd {
  readonly #most: number
  /** By the address of whoever connects. */
  readonly #sockets = new Map<string, Set<Socket>>()
  #size = 0

  constructor(most: number) {
    this.#most = most
  }

  add(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    const own = this.#sockets.get(address) ?? new Set()
    this.#sockets.set(address, own.add(socket))
    this.#size += 1
    socket.once('close', () => this.#leave(address, socket))
    if (this.#size > this.#most) this.#largest(own).at(-1)?.destroy()
  }

  destroy(): void {
    for (const each of this.#sockets.values()) for (const socket of each) socket.destroy()
  }

  /** Of equals, it is whoever comes now. */
  #largest(own: ReadonlySet<Socket>): readonly Socket[] {
    let largest = own
    for (const each of this.#sockets.values()) if (each.size > largest.size) largest = each
    return [...largest]
  }

  #leave(address: string, socket: Socket): void {
    const own = this.#sockets.get(address)
    if (!own?.delete(socket)) return
    this.#size -= 1
    if (own.size === 0) this.#sockets.delete(address)
  }
}
