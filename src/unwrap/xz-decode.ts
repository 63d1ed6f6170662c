import type { Liblzma } from './liblzma.ts'
import type { Port } from './thread-port.ts'
import { corrupt } from './unsound.ts'
import { XzContainer } from './xz-container.ts'

/** liblzma decodes and checks; the walk tells where, and whether both come to the same. */
export function decodeXz(liblzma: Liblzma, port: Port): void {
  const container = new XzContainer()
  let count = 0
  const give = (outputs: Iterable<Uint8Array<ArrayBuffer>>) => {
    for (const output of outputs) {
      count += output.length
      port.write(output)
    }
  }
  for (let bytes = port.read(); bytes; bytes = port.read()) {
    container.advance(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
    give(liblzma.decode(bytes))
  }
  const expected = container.end()
  give(liblzma.finish())
  if (count !== expected) {
    throw corrupt(
      'xz',
      `${count} bytes come out instead of ${expected} up to byte ${container.position}`,
    )
  }
}
