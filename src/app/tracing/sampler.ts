import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace'
import type { SamplerName } from '../../env/traces.ts'

/** The sampler of a name (OpenTelemetry, "Environment Variable Specification"). */
export function samplerOf(name: SamplerName, ratio: number): Sampler {
  const [, parent, kind] = /^(parentbased_)?(.*)$/.exec(name) ?? []
  const root = rootOf(kind ?? '', ratio)
  return parent === undefined ? root : new ParentBasedSampler({ root })
}

function rootOf(kind: string, ratio: number): Sampler {
  if (kind === 'always_off') return new AlwaysOffSampler()
  return kind === 'traceidratio' ? new TraceIdRatioBasedSampler(ratio) : new AlwaysOnSampler()
}
