import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { guardOf, listenTogether, portOf } from '../../../src/serve/sockets.ts'

const clients = 320
const local = { host: '127.0.0.1', port: 0 }
const options = { backlog: 1000 }

async function open(address = local) {
  await using opening = new AsyncDisposableStack()
  const server = createServer((socket) => void socket.on('error', () => {}).destroy())
  const all = await listenTogether(server, address, options)
  for (const each of all) opening.use(each)
  const held = opening.move()
  return { server, [Symbol.asyncDispose]: () => held.disposeAsync() }
}

async function freePort() {
  await using opened = await open()
  return portOf(opened.server)
}

describe.skipIf(process.platform !== 'linux')('sockets that share a port', () => {
  test('accept many in few turns of the event loop', async () => {
    await using opened = await open()
    const waiting = new Set(Array.from({ length: clients }, (_, at) => at))
    opened.server.on('connection', () => waiting.delete(waiting.size - 1))
    const connecting = `
      let open = 0
      for (let at = 0; at < ${clients}; at += 1) {
        require('node:net').connect(${portOf(opened.server)}, '127.0.0.1', () => {
          if ((open += 1) === ${clients}) process.exit()
        })
      }`
    // This process accepts nothing meanwhile.
    expect(spawnSync(process.execPath, ['-e', connecting], { timeout: 15_000 }).status).toBe(0)
    let turns = 0
    for (; waiting.size > 0; turns += 1) await turn()
    expect(turns).toBeLessThan(clients / 4)
  })

  test('share it with nobody else', async () => {
    await using opened = await open()
    const again = open({ ...local, port: portOf(opened.server) })
    await expect(again).rejects.toThrow('EADDRINUSE')
  })
  test('are not opened while another process begins there', async () => {
    const address = { ...local, port: await freePort() }
    const other = createServer().listen({ path: guardOf(address) })
    await once(other, 'listening')
    await expect(open(address)).rejects.toThrow('EADDRINUSE')
    await other[Symbol.asyncDispose]()
    await using opened = await open(address)
    expect(portOf(opened.server)).toBe(address.port)
  })
})
