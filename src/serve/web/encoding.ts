/** How a body may be sent: as it is, or compressed. */
export type Encoding = 'br' | 'gzip' | null

/**
 * The best of what a client takes (RFC 9110 section 12.5.3). Browsers ask for brotli over TLS and on loopback alone, so gzip is
 * what pages in a network without TLS come with.
 * @param header `Accept-Encoding`
 */
export function encodingFor(header: string | undefined): Encoding {
  const weights = new Map((header ?? '').split(',').map(weightOf))
  const takes = (name: string) => (weights.get(name) ?? weights.get('*') ?? 0) > 0
  return takes('br') ? 'br' : takes('gzip') ? 'gzip' : null
}

function weightOf(part: string): [string, number] {
  const [name = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
  const weight = parameters.find((text) => text.startsWith('q='))?.slice(2)
  return [name, weight === undefined ? 1 : Number(weight)]
}
