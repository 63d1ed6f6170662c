import type { SourceType } from '../image/data-source.ts'
import { containerImageSource, type ContainerImageOptions } from './container-image.ts'
import { httpSource, type HttpOptions } from './http.ts'
import type { Source } from './source.ts'

export type SourceOptions = HttpOptions & ContainerImageOptions

/** The kinds of places that images come from, by the `type` of their data source. A new one is a file and a line here. */
export function sources(options: SourceOptions) {
  return {
    HTTP: httpSource(options),
    ContainerImage: containerImageSource(options),
  } as const satisfies Partial<Record<SourceType, Source>>
}
