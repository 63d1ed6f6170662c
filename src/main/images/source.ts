import { Refusal } from '../../errors.ts'
import { dataSourceSchema, type DataSource } from '../../image/data-source.ts'
import { textOf, textsOf, type Values } from '../command.ts'
import { textOfFile, told } from '../manifests.ts'

/** What goes with each of the options that say where an image comes from. */
const companions = {
  url: ['checksum', 'ca-bundle', 'insecure', 'username', 'password-file', 'token-file'],
  image: ['ca-bundle', 'insecure', 'platform', 'username', 'password-file', 'authfile'],
  like: [],
  upload: ['checksum'],
} as const
type Origin = keyof typeof companions

export const sourceOptions = {
  url: { type: 'string' },
  image: { type: 'string' },
  like: { type: 'string' },
  upload: { type: 'boolean' },
  checksum: { type: 'string', multiple: true },
  'ca-bundle': { type: 'string' },
  insecure: { type: 'boolean' },
  platform: { type: 'string' },
  username: { type: 'string' },
  'password-file': { type: 'string' },
  'token-file': { type: 'string' },
  authfile: { type: 'string' },
} as const

/** @throws Refusal for what is missing, does not go together or is no data source; the system's error for a file */
export async function dataSourceOf(values: Values): Promise<DataSource> {
  const origin = originOf(values)
  for (const option of optionsIn(values)) {
    if (option === origin || companions[origin].some((each) => each === option)) continue
    throw misuse(`--${option} does not go with --${origin}`)
  }
  const result = dataSourceSchema.safeParse(await sections[origin](values))
  if (result.success) return result.data
  throw misuse(result.error.issues.map(told).join('; '))
}

/** Those of a source that were given. */
export function optionsIn(values: Values): readonly string[] {
  return Object.keys(sourceOptions).filter((option) => values[option] !== undefined)
}

function originOf(values: Values): Origin {
  const given = (['url', 'image', 'like', 'upload'] as const).filter((origin) => values[origin])
  const [origin, ...others] = given
  if (origin !== undefined && others.length === 0) return origin
  throw misuse('give exactly one of --url, --image, --like and --upload, or -f')
}

const sections: { readonly [Each in Origin]: (values: Values) => Promise<object> | object } = {
  url: async (values) => ({ type: 'HTTP', http: await httpOf(values) }),
  image: async (values) => ({ type: 'ContainerImage', containerImage: await imageOf(values) }),
  like: ({ like: name }) => ({
    type: 'ObjectRef',
    objectRef: { kind: 'ClusterVirtualImage', name },
  }),
  upload: (values) => ({ type: 'Upload', upload: checksumIn(values) }),
}

async function httpOf(values: Values): Promise<object> {
  const url = textOf(values, 'url') ?? ''
  const { username = '', password = '' } = URL.parse(url) ?? {}
  if (username || password) {
    throw misuse(
      'a password in --url is seen by everyone on this machine; give --username and --password-file',
    )
  }
  const basic = await loginIn(values)
  const bearer = await secretIn(values, 'token-file')
  const auth = { ...(basic && { basic }), ...(bearer !== undefined && { bearer }) }
  const isOpen = Object.keys(auth).length === 0
  return { url, ...checksumIn(values), ...(await trustIn(values)), ...(!isOpen && { auth }) }
}

async function imageOf(values: Values): Promise<object> {
  const login = await loginIn(values)
  const config = await secretIn(values, 'authfile')
  if (login && config !== undefined) throw misuse('give --username or --authfile, not both')
  const auth = login ?? (config === undefined ? undefined : { '.dockerconfigjson': config })
  const platform = textOf(values, 'platform')
  return {
    image: textOf(values, 'image'),
    ...(await trustIn(values)),
    ...(platform !== undefined && { platform }),
    ...(auth && { auth }),
  }
}

function checksumIn(values: Values): object {
  const given = textsOf(values, 'checksum')
  if (given.length === 0) return {}
  return { checksum: Object.fromEntries(given.map(checksumOf)) }
}

function checksumOf(text: string): readonly [string, string] {
  const [, algorithm, hex] = /^([a-z0-9]+):([0-9a-fA-F]+)$/.exec(text) ?? []
  if (algorithm !== undefined && hex !== undefined) return [algorithm, hex]
  throw misuse(`--checksum is "${text}"; give it as sha256:HEX, or with md5, sha1 or sha512`)
}

async function trustIn(values: Values): Promise<object> {
  const file = textOf(values, 'ca-bundle')
  const caBundle = file && Buffer.from(await textOfFile(file)).toString('base64')
  const insecure = values['insecure'] === true
  return { ...(caBundle && { caBundle }), ...(insecure && { insecureSkipTLSVerify: true }) }
}

async function loginIn(values: Values): Promise<object | null> {
  const username = textOf(values, 'username')
  const password = await secretIn(values, 'password-file')
  if (username === undefined && password === undefined) return null
  if (username !== undefined && password !== undefined) return { username, password }
  throw misuse('--username and --password-file belong together')
}

/** Without the line break that editors put at the end. */
async function secretIn(values: Values, option: string): Promise<string | undefined> {
  const file = textOf(values, option)
  return file === undefined ? undefined : (await textOfFile(file)).replace(/\r?\n$/, '')
}

function misuse(message: string): Refusal {
  return new Refusal('INVALID_REQUEST', message)
}
