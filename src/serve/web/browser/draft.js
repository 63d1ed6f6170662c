/** What somebody says of an image that is to be made, before the service is asked. */

/** @typedef {'url' | 'registry' | 'file'} Way */
/** @typedef {'none' | 'password' | 'token'} Credentials */
/**
 * `headers` are lines of `Name: value`, `certificates` are PEM.
 * @typedef {{
 *   readonly place: string, readonly name: string, readonly checksum: string, readonly credentials: Credentials,
 *   readonly username: string, readonly password: string, readonly token: string, readonly headers: string,
 *   readonly certificates: string, readonly platform: string,
 * }} Draft
 */
/** @typedef {keyof Draft} Field */
/** What is wrong with fields, in the order in which they stand. @typedef {ReadonlyMap<Field, string>} Problems */

/** @type {Draft} */
export const empty = {
  place: '',
  name: '',
  checksum: '',
  credentials: 'none',
  username: '',
  password: '',
  token: '',
  headers: '',
  certificates: '',
  platform: '',
}

/** By the number of hex characters. @type {ReadonlyMap<number, string>} */
const checksums = new Map([
  [32, 'md5'],
  [40, 'sha1'],
  [64, 'sha256'],
  [128, 'sha512'],
])

/** The data source as REST has it. @param {Way} way @param {Draft} draft @param {object} [kept] what there is no field for */
export function sourceOf(way, draft, kept = {}) {
  const { place, certificates, platform } = draft
  const caBundle = certificates === '' ? {} : { caBundle: btoa(certificates) }
  const auth = authOf(way, draft)
  if (way === 'registry') {
    const known = { ...caBundle, ...auth, ...(platform === '' ? {} : { platform }) }
    return { type: 'ContainerImage', containerImage: { image: place, ...known, ...kept } }
  }
  return { type: 'HTTP', http: { url: place, ...checksumOf(draft), ...caBundle, ...auth, ...kept } }
}

/** @param {Draft} draft */
function checksumOf({ checksum }) {
  const algorithm = checksums.get(checksum.length)
  return algorithm === undefined ? {} : { checksum: { [algorithm]: checksum } }
}

/** @param {Way} way @param {Draft} draft */
function authOf(way, { credentials, username, password, token, headers }) {
  if (way === 'registry') return credentials === 'password' ? { auth: { username, password } } : {}
  const lines = linesOf(headers).map(headerOf)
  const auth = {
    ...(credentials === 'password' ? { basic: { username, password } } : {}),
    ...(credentials === 'token' ? { bearer: token } : {}),
    ...(lines.length > 0 ? { headers: Object.fromEntries(lines) } : {}),
  }
  return Object.keys(auth).length > 0 ? { auth } : {}
}

/** @param {string} text */
function linesOf(text) {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** @param {string} line @returns {[string, string]} */
function headerOf(line) {
  const colon = line.indexOf(':')
  return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
}

/**
 * What can be told without asking the service.
 * @param {Way} way @param {Draft} draft @param {(name: string) => boolean} isTaken
 * @returns {Problems}
 */
export function problemsOf(way, draft, isTaken) {
  /** @type {readonly (readonly [Field, string | null])[]} */
  const all = [
    ['place', placeProblem(way, draft.place)],
    ['name', nameProblem(draft.name, isTaken)],
    ...(way === 'url' ? beside(draft) : []),
    ['certificates', certificatesProblem(draft.certificates)],
  ]
  return new Map(all.flatMap(([field, problem]) => (problem === null ? [] : [[field, problem]])))
}

/** @param {Draft} draft @returns {readonly (readonly [Field, string | null])[]} */
function beside({ checksum, credentials, token, headers }) {
  return [
    ['checksum', checksumProblem(checksum)],
    ['token', credentials === 'token' && token === '' ? 'Paste the token' : null],
    ['headers', headersProblem(headers)],
  ]
}

/** @param {Way} way @param {string} place */
function placeProblem(way, place) {
  if (way === 'registry') {
    return place === '' ? 'Write an image such as registry.example.com/team/image:tag here' : null
  }
  const isUrl = /^https?:\/\/[^/]/i.test(place) && URL.canParse(place)
  return isUrl ? null : 'Begin with http:// or https://, and write the whole URL'
}

/** @param {string} name @param {(name: string) => boolean} isTaken */
function nameProblem(name, isTaken) {
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) || name.length > 200) {
    return 'Use 1 to 200 lower-case letters, digits and hyphens, beginning and ending with a letter or digit'
  }
  return isTaken(name) ? `There is an image "${name}" already; choose another name` : null
}

/** @param {string} checksum */
function checksumProblem(checksum) {
  if (checksum === '' || (/^[0-9a-f]+$/i.test(checksum) && checksums.has(checksum.length)))
    return null
  return 'This is no checksum: MD5 has 32 hex digits, SHA-1 40, SHA-256 64, SHA-512 128'
}

/** @param {string} headers */
function headersProblem(headers) {
  const wrong = linesOf(headers).find((line) => line.indexOf(':') < 1)
  return wrong === undefined ? null : `Write each header as "Name: value"; "${wrong}" is none`
}

/** @param {string} certificates */
function certificatesProblem(certificates) {
  // Nothing else can be written in base64 by a browser, and no PEM has it.
  const isPem =
    /^[\x20-\x7e\s]*$/.test(certificates) && certificates.includes('-----BEGIN CERTIFICATE-----')
  return certificates === '' || isPem
    ? null
    : 'Paste the whole text, from -----BEGIN CERTIFICATE----- to its end'
}

/** @type {readonly (readonly [RegExp, Field])[]} */
const paths = [
  [/^name$/, 'name'],
  [/\.(?:url|image)$/, 'place'],
  [/\.checksum\b/, 'checksum'],
  [/\.caBundle$/, 'certificates'],
  [/\.platform$/, 'platform'],
  [/\.auth\.headers\b/, 'headers'],
  [/\.auth\.bearer$/, 'token'],
  [/\.password$/, 'password'],
  [/\.auth\b/, 'username'],
]

/** Where a field of a request stands in the form, null for none. @param {string} path such as `dataSource.http.url` */
export function fieldOf(path) {
  return paths.find(([pattern]) => pattern.test(path))?.[1] ?? null
}
