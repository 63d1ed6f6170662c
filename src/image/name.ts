/** At most 200 characters, so that `<host>/cvi/<name>` stays within the 255 of a repository name. */
export const longestName = 200
export const namePattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/** Why a text is no image name, as a sentence; null when it is one (image-lifecycle, "What a user says"). */
export function nameProblem(name: string): string | null {
  if (name.length < 1 || name.length > longestName) {
    return `a name has 1 to ${longestName} characters, this one has ${name.length}`
  }
  if (name.includes('.')) return `"${name}" holds a dot; use a hyphen instead`
  if (namePattern.test(name)) return null
  return `"${name}" is no image name; use lower-case letters, digits and hyphens, beginning and ending with a letter or digit`
}

/** What an image of a file may be called: as the page calls it. */
export function nameOfFile(file: string): string {
  const stem = file
    .toLowerCase()
    .replace(/(?:\.(?:iso|img|raw|qcow2|vmdk|vdi|vhdx?|gz|xz|zst|bz2|tar))+$/, '')
  const name = stem.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '')
  return name.slice(0, 190).replace(/-+$/, '') || 'image'
}

/** The repository an image is handed out under. Ingestion alone writes there. */
export function repositoryOf(name: string): string {
  return `cvi/${name}`
}

/** The one tag of an image's repository. */
export const imageTag = 'latest'

/** OCI distribution-spec, "Pulling manifests": the grammar of <name>; 255 is what clients can spell with a host. */
const part = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
export const repositoryText = `${part}(?:/${part})*`
const repository = new RegExp(`^${repositoryText}$`)

export function isRepository(name: string): boolean {
  return name.length <= 255 && repository.test(name)
}

/** OCI distribution-spec, "Pulling manifests": the grammar of a tag. */
export const tagText = '[A-Za-z0-9_][A-Za-z0-9._-]{0,127}'
const tag = new RegExp(`^${tagText}$`)

export function isTag(text: string): boolean {
  return tag.test(text)
}
