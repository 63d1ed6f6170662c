import { z } from 'zod'
import { optional, required, secret } from './setting.ts'
import { baseUrl, by } from './texts.ts'

const anEndpoint = 'an http or https URL without query or user-info'
const pairsWords = 'name=value, by commas, with %2C for a comma in a value'

export const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const
export type SamplerName = (typeof samplers)[number]

/** Traces, by the names that OpenTelemetry gives them. Without an endpoint there are none. */
export const traceSettings = {
  otlpEndpoint: optional(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    anEndpoint,
    'where traces go (OTLP over HTTP), below `/v1/traces`; without one, there are none',
    baseUrl,
  ),
  otlpTracesEndpoint: optional(
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
    anEndpoint,
    'the same, as the whole URL',
    baseUrl,
  ),
  otlpHeaders: secret(
    'OTEL_EXPORTER_OTLP_HEADERS',
    pairsWords,
    'what goes along, such as credentials: `name=value`, by commas',
    pairs,
  ),
  otelServiceName: optional(
    'OTEL_SERVICE_NAME',
    'a name',
    'who the traces are from; without it, `slipway` or `slipway-controller`',
    by(z.string().max(200)),
  ),
  otelResource: optional(
    'OTEL_RESOURCE_ATTRIBUTES',
    pairsWords,
    'what else they say of that, such as `deployment.environment.name=test`',
    pairs,
  ),
  otelSampler: required(
    'OTEL_TRACES_SAMPLER',
    'parentbased_always_on',
    samplers.join(', '),
    'which traces are kept',
    by(z.enum(samplers)),
  ),
  otelSamplerArg: required(
    'OTEL_TRACES_SAMPLER_ARG',
    '1',
    'a number from 0 to 1',
    'how many of them, for the samplers that end with `traceidratio`',
    by(
      z
        .string()
        .regex(/^[\d.]+$/)
        .transform(Number)
        .pipe(z.number().min(0).max(1)),
    ),
  ),
} as const

/** The rows, for those that read no others. */
export const traceNames = [
  'otlpEndpoint',
  'otlpTracesEndpoint',
  'otlpHeaders',
  'otelServiceName',
  'otelResource',
  'otelSampler',
  'otelSamplerArg',
] as const satisfies readonly (keyof typeof traceSettings)[]

/** W3C Baggage without properties, as OpenTelemetry takes it. */
function pairs(text: string): Readonly<Record<string, string>> | undefined {
  const all = text.split(',').map((part) => pairOf(part.trim()))
  return all.every((pair) => pair !== undefined) ? Object.fromEntries(all) : undefined
}

function pairOf(text: string): readonly [string, string] | undefined {
  const [, name, value] = /^([\w!#$%&'*+.^`|~-]+)\s*=\s*([\x20-\x7e]*)$/.exec(text) ?? []
  if (name === undefined || value === undefined) return undefined
  try {
    return [name, decodeURIComponent(value)]
  } catch {
    return undefined
  }
}
