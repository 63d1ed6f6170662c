import { imagePages, type Image, type ImageFilter } from '../../client/images.ts'
import { formats } from '../../image/format.ts'
import { phases } from '../../image/phase.ts'
import { formOf, forms, none, wordOf, type Command, type Values } from '../command.ts'
import { openClient } from './client.ts'
import { listingIn } from './listing.ts'

const kinds = ['disk', 'iso'] as const
const orders = ['name', 'age', 'size'] as const

export const command: Command = {
  help: `slipway images ls [--phase PHASE] [--format FORMAT] [--kind disk|iso] [--sort name|age|size]
                  [--output table|json|yaml|name]

Lists the images of the service, or those of one phase, format or kind: an iso is a CD or DVD, all others are disks. They come
by name and are printed as they come; --sort age, the newest first, and --sort size, the largest first, wait for the last one.
SIZE is what a guest sees, STORED what it takes. JSON and YAML are {items: [...]}, each as GET /api/v1/images shows it; "name"
is a name on each line.
`,
  options: {
    phase: { type: 'string' },
    format: { type: 'string' },
    kind: { type: 'string' },
    sort: { type: 'string' },
  },
  choices: { phase: phases, format: formats, kind: kinds, sort: orders, output: forms },
  async run(operands, values) {
    none(operands, 'images ls')
    const listing = listingIn(formOf(values))
    const sort = wordOf(values, 'sort', orders) ?? 'name'
    const filter = filterOf(values)
    const { rest } = await openClient()
    const pages = imagePages(rest, filter, new AbortController().signal)
    for await (const page of sort === 'name' ? pages : sorted(pages, sort)) await listing.add(page)
    await listing.end()
    return 0
  },
}

function filterOf(values: Values): ImageFilter {
  const phase = wordOf(values, 'phase', phases)
  const format = wordOf(values, 'format', formats)
  const kind = wordOf(values, 'kind', kinds)
  return {
    ...(phase && { phase }),
    ...(format && { format }),
    ...(kind && { cdrom: kind === 'iso' }),
  }
}

async function* sorted(
  pages: AsyncIterable<readonly Image[]>,
  order: 'age' | 'size',
): AsyncGenerator<readonly Image[]> {
  const images = (await Array.fromAsync(pages)).flat()
  yield images.sort(order === 'age' ? byAge : bySize)
}

/** Times in ISO 8601 and UTC have the order of their texts. */
function byAge(one: Image, other: Image): number {
  if (one.createdAt === other.createdAt) return 0
  return one.createdAt > other.createdAt ? -1 : 1
}

function bySize(one: Image, other: Image): number {
  return sizeOf(other) - sizeOf(one)
}

function sizeOf({ status }: Image): number {
  return Number(status.size?.unpackedBytes ?? -1)
}
