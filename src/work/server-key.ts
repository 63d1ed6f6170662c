import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
} from 'node:crypto'
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Bug, errno } from '../errors.ts'

const keyLength = 32
const nonceLength = 12
const tagLength = 16
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const tokenLength = 32

/**
 * The one secret of this service. From it come the upload tokens, so that a token can be shown as long as its image waits
 * and yet lies nowhere, the key under which credentials of data sources are kept, the one by which their URLs are known
 * again, and the one that signs the registry's short-lived tokens.
 */
export class ServerKey {
  readonly #tokens: Buffer
  readonly #sealing: Buffer
  readonly #urls: Buffer
  /** HS256, for tokens that the registry issues (RFC 7518, section 3.2). */
  readonly issuingKey: Uint8Array

  constructor(secret: Uint8Array) {
    if (secret.length !== keyLength) throw new Bug(`a server key has ${keyLength} bytes`)
    this.#tokens = derive(secret, 'upload tokens')
    this.#sealing = derive(secret, 'data source secrets')
    this.#urls = derive(secret, 'source urls')
    this.issuingKey = derive(secret, 'registry tokens')
  }

  /** Reads the key, or makes it on the first start; only this user may read the file. */
  static async load(path: string): Promise<ServerKey> {
    try {
      return new ServerKey(await readFile(path))
    } catch (error) {
      if (errno(error) !== 'ENOENT') throw error
    }
    const secret = randomBytes(keyLength)
    await writeDurably(path, secret)
    return new ServerKey(secret)
  }

  /** 32 characters of `[A-Za-z0-9]`, 190 bits, another one for each attempt of an image. */
  uploadToken(imageUid: string, attempt: number): string {
    const mac = createHmac('sha256', this.#tokens).update(`${imageUid} ${attempt}`).digest('hex')
    let number = BigInt(`0x${mac}`)
    let token = ''
    while (token.length < tokenLength) {
      token += alphabet.charAt(Number(number % 62n))
      number /= 62n
    }
    return token
  }

  /** 64 hex digits that stand for a URL. */
  urlKey(url: string): string {
    return createHmac('sha256', this.#urls).update(url).digest('hex')
  }

  /** AES-256-GCM: nonce, tag, ciphertext. `context` must be the same for `unseal`. */
  seal(plain: string, context: string): Uint8Array {
    const nonce = randomBytes(nonceLength)
    const cipher = createCipheriv('aes-256-gcm', this.#sealing, nonce)
    cipher.setAAD(Buffer.from(context))
    const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed])
  }

  unseal(sealed: Uint8Array, context: string): string {
    const decipher = createDecipheriv('aes-256-gcm', this.#sealing, sealed.subarray(0, nonceLength))
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(sealed.subarray(nonceLength, nonceLength + tagLength))
    const plain = decipher.update(sealed.subarray(nonceLength + tagLength))
    return Buffer.concat([plain, decipher.final()]).toString('utf8')
  }
}

/** The form in which a token is kept and looked up. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

function derive(secret: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `slipway ${purpose}`, keyLength))
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const aside = `${path}.new`
  {
    await using file = await open(aside, 'w', 0o600)
    await file.writeFile(bytes)
    await file.sync()
  }
  await rename(aside, path)
  await using folder = await open(dirname(path), 'r')
  await folder.sync()
}
