import type { Settings } from '../env.ts'
import type { Metrics } from '../metrics.ts'
import { Figures, type FigureOptions } from '../work/figures.ts'

/** The figures of the storage, which the metrics tell, too. */
export function openFigures(
  { storageLimit }: Pick<Settings, 'storageLimit'>,
  ground: Omit<FigureOptions, 'storageLimit'> & { readonly metrics: Metrics },
): Figures {
  const figures = new Figures({ ...ground, storageLimit })
  ground.metrics.levelsFrom(async () => {
    const { blobBytes, logicalBytes, freeBytes, counts } = await figures.look()
    return { blobBytes, logicalBytes, freeBytes, images: counts.images }
  })
  return figures
}
