import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** A span as it came over the wire (opentelemetry-proto, "trace.proto"). Ids are hexadecimal, empty without a parent. */
export type ReceivedSpan = {
  readonly traceId: string
  readonly id: string
  readonly parent: string
  readonly name: string
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: readonly string[]
  /** 2 is an error. */
  readonly status: number
  readonly service: unknown
}

export type Collector = AsyncDisposable & {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string
  readonly spans: readonly ReceivedSpan[]
  /** Of the last request. */
  readonly headers: IncomingHttpHeaders
  /** Everything that came, as text. */
  readonly raw: string
}

/** Takes what OpenTelemetry sends (OTLP over HTTP, protobuf). @param tls key and certificate, null for plain HTTP */
export async function startCollector(
  tls: { readonly key: string; readonly cert: string } | null = null,
): Promise<Collector> {
  const spans: ReceivedSpan[] = []
  let headers: IncomingHttpHeaders = {}
  let raw = ''
  const take = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await buffer(incoming)
    ;({ headers } = incoming)
    raw += body.toString('latin1')
    if (incoming.url === '/v1/traces') spans.push(...spansIn(body))
    outgoing.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  }
  const answer: RequestListener = (incoming, outgoing) => void take(incoming, outgoing)
  const server = tls ? createTlsServer(tls, answer) : createServer(answer)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    endpoint: `${tls ? 'https' : 'http'}://127.0.0.1:${portOf(server.address())}`,
    spans,
    get headers() {
      return headers
    },
    get raw() {
      return raw
    },
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address ? address.port : 0
}

type Field = { readonly number: number; readonly value: Buffer | bigint }

/** The fields of a message, without its schema (protobuf, "Encoding"). */
function fieldsOf(bytes: Buffer): readonly Field[] {
  const found: Field[] = []
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number) => bytes.subarray(at, (at += length))
  while (at < bytes.length) {
    const key = Number(varint())
    const kind = key & 7
    const value = kind === 0 ? varint() : take(kind === 2 ? Number(varint()) : kind === 1 ? 8 : 4)
    found.push({ number: key >> 3, value })
  }
  return found
}

function messages(bytes: Buffer, number: number): readonly Buffer[] {
  return fieldsOf(bytes).flatMap((field) =>
    field.number === number && Buffer.isBuffer(field.value) ? [field.value] : [],
  )
}

function spansIn(body: Buffer): readonly ReceivedSpan[] {
  return messages(body, 1).flatMap((resource) => {
    const [about = Buffer.alloc(0)] = messages(resource, 1)
    const service = attributesOf(about, 1)['service.name']
    const scopes = messages(resource, 2)
    return scopes.flatMap((scope) => messages(scope, 2)).map((span) => spanOf(span, service))
  })
}

function spanOf(span: Buffer, service: unknown): ReceivedSpan {
  const [status = Buffer.alloc(0)] = messages(span, 15)
  return {
    traceId: hex(span, 1),
    id: hex(span, 2),
    parent: hex(span, 4),
    name: textOf(span, 5),
    kind: numberOf(span, 6),
    attributes: attributesOf(span, 9),
    links: messages(span, 13).map((link) => hex(link, 2)),
    status: numberOf(status, 3),
    service,
  }
}

function attributesOf(bytes: Buffer, number: number): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    messages(bytes, number).map((pair) => {
      const [value] = fieldsOf(messages(pair, 2)[0] ?? Buffer.alloc(0))
      return [textOf(pair, 1), value && plain(value)]
    }),
  )
}

function plain({ number, value }: Field): unknown {
  if (typeof value === 'bigint') return number === 2 ? value === 1n : Number(value)
  return number === 4 ? value.readDoubleLE() : value.toString()
}

function hex(bytes: Buffer, number: number): string {
  return messages(bytes, number)[0]?.toString('hex') ?? ''
}

function textOf(bytes: Buffer, number: number): string {
  return messages(bytes, number)[0]?.toString() ?? ''
}

function numberOf(bytes: Buffer, number: number): number {
  return Number(fieldsOf(bytes).find((field) => field.number === number)?.value ?? 0)
}
