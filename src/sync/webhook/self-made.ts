import { createPrivateKey, X509Certificate } from 'node:crypto'
import { pairOf } from '../../tls/pair.ts'
import { areNamed, issueAuthority, issueServer, type Issued } from './issue.ts'

/** Everything that belongs to a certificate of our own, each PEM; empty where it is missing. */
export type SelfMade = {
  /** Authorities that are to be trusted; the first one signs. */
  readonly bundle: string
  readonly authorityKey: string
  readonly cert: string
  readonly key: string
}

/** Milliseconds. */
const hour = 3_600_000
const day = 24 * hour
const year = 365 * day
const authority = { lasts: 10 * year, renewed: 2 * year }
const server = { lasts: year, renewed: 60 * day }
/** Clocks of those who look at a new certificate may be behind by so much. */
const skew = hour
/** Authorities in a bundle, so that clocks that disagree make it no longer and longer. */
const most = 4

/**
 * What is to be used from now on: `kept` itself where nothing is due. An authority that takes another one's place leaves that
 * one's certificate in use until it is due itself, so that whoever has to trust the new authority has months to learn of it.
 *
 * What is made in the place of something else is valid from when that was: whoever's clock is behind ours takes it, too, and
 * two processes whose clocks disagree do not replace each other's for ever.
 * @param names host names and IP addresses that the certificate has to be good for, at least one
 * @param now milliseconds since 1970
 */
export async function upToDate(
  kept: SelfMade,
  names: readonly string[],
  now: number,
): Promise<SelfMade> {
  const known = authoritiesIn(kept)
  const trusted = isTimely(known[0], authority.renewed, now)
    ? { bundle: kept.bundle, authorityKey: kept.authorityKey }
    : await newAuthority(known, now)
  const made = { ...kept, ...trusted }
  if (!isOfUse(made, names, now)) return { ...trusted, ...(await newServer(trusted, names, now)) }
  return trusted.bundle === kept.bundle ? kept : made
}

/** None when the first one could not sign any more, whatever the others are. */
function authoritiesIn({ bundle, authorityKey }: SelfMade): readonly X509Certificate[] {
  const pems = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    const found = pems.map((pem) => new X509Certificate(pem))
    const key = createPrivateKey(authorityKey)
    const isOurs = key.asymmetricKeyDetails?.namedCurve === 'prime256v1'
    return isOurs && found[0]?.ca && found[0].checkPrivateKey(key) ? found : []
  } catch {
    // Whatever is wrong with it, it is made anew.
    return []
  }
}

async function newAuthority(known: readonly X509Certificate[], now: number) {
  const since = Math.min(now - skew, known[0]?.validFromDate.getTime() ?? now)
  const validity = { notBefore: new Date(since), notAfter: new Date(now + authority.lasts) }
  const { cert, key } = await issueAuthority(validity)
  const before = known.filter(({ validToDate }) => validToDate.getTime() > now)
  const all = [cert, ...before.map(String)].slice(0, most)
  return { bundle: all.join(''), authorityKey: key }
}

async function newServer(
  { bundle, authorityKey }: Pick<SelfMade, 'bundle' | 'authorityKey'>,
  names: readonly string[],
  now: number,
): Promise<Issued> {
  const { validFromDate, validToDate } = new X509Certificate(bundle)
  const notAfter = new Date(Math.min(now + server.lasts, validToDate.getTime()))
  const validity = { notBefore: validFromDate, notAfter }
  return await issueServer(names, { cert: bundle, key: authorityKey }, validity)
}

function isOfUse(made: SelfMade, names: readonly string[], now: number): boolean {
  const authorities = authoritiesIn(made)
  try {
    pairOf(Buffer.from(made.cert), Buffer.from(made.key), { cert: 'tls.crt', key: 'tls.key' })
    const leaf = new X509Certificate(made.cert)
    return (
      isTimely(leaf, server.renewed, now) &&
      areNamed(names, made.cert) &&
      authorities.some((one) => leaf.checkIssued(one) && leaf.verify(one.publicKey))
    )
  } catch {
    // As above.
    return false
  }
}

function isTimely(cert: X509Certificate | undefined, renewed: number, now: number): boolean {
  if (!cert) return false
  const { validFromDate, validToDate } = cert
  return validFromDate.getTime() <= now && now < validToDate.getTime() - renewed
}
