// The library below asks for it, and loads only after it.
import 'reflect-metadata'
import { createPrivateKey, KeyObject, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** A certificate and its private key, both PEM. */
export type Issued = { readonly cert: string; readonly key: string }

export type Validity = { readonly notBefore: Date; readonly notAfter: Date }

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const

/** An authority of its own (RFC 5280, 4.2.1.9), which signs certificates of servers and nothing else. */
export async function issueAuthority(validity: Validity): Promise<Issued> {
  const keys = await freshKeys()
  const cert = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: [{ CN: ['Slipway webhook authority'] }],
    keys,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return issued(cert, keys.privateKey)
}

/** @param names host names and IP addresses that the server is called by, at least one */
export async function issueServer(
  names: readonly string[],
  authority: Issued,
  validity: Validity,
): Promise<Issued> {
  const { publicKey, privateKey } = await freshKeys()
  const issuer = new X509Certificate(authority.cert)
  const cert = await X509CertificateGenerator.create({
    ...validity,
    subject: [{ CN: ['Slipway webhook'] }],
    issuer: issuer.subjectName,
    publicKey,
    signingKey: await signingKey(authority.key),
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      alternatives(names),
      await SubjectKeyIdentifierExtension.create(publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  })
  return issued(cert, privateKey)
}

/** Whether the certificate names all of them, in the words in which `issueServer` names them. */
export function areNamed(names: readonly string[], cert: string): boolean {
  const found = new X509Certificate(cert).getExtension(SubjectAlternativeNameExtension)
  const known = new Set(found ? wordsOf(found) : [])
  return wordsOf(alternatives(names)).every((name) => known.has(name))
}

function alternatives(names: readonly string[]): SubjectAlternativeNameExtension {
  const all = names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value }) as const)
  return new SubjectAlternativeNameExtension(all)
}

function wordsOf({ names }: SubjectAlternativeNameExtension): string[] {
  return names.items.map(({ type, value }) => `${type}:${value}`)
}

async function freshKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  return createPrivateKey(pem).toCryptoKey(algorithm, false, ['sign'])
}

function issued(cert: X509Certificate, key: webcrypto.CryptoKey): Issued {
  const pem = KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' })
  return { cert: `${cert.toString('pem')}\n`, key: pem.toString() }
}
