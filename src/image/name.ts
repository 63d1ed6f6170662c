/** At most 200 characters, so that `<host>/cvi/<name>` stays within the 255 of a repository name. */
const longest = 200
const pattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/** Why a text is no image name, as a sentence; null when it is one (image-lifecycle, "What a user says"). */
export function nameProblem(name: string): string | null {
  if (name.length < 1 || name.length > longest) {
    return `a name has 1 to ${longest} characters, this one has ${name.length}`
  }
  if (name.includes('.')) return `"${name}" holds a dot; use a hyphen instead`
  if (pattern.test(name)) return null
  return `"${name}" is no image name; use lower-case letters, digits and hyphens, beginning and ending with a letter or digit`
}

/** The repository an image is handed out under. Ingestion alone writes there. */
export function repositoryOf(name: string): string {
  return `cvi/${name}`
}

/** The one tag of an image's repository. */
export const imageTag = 'latest'

/** OCI distribution-spec, "Pulling manifests": the grammar of <name>; 255 is what clients can spell with a host. */
const repository =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/

export function isRepository(name: string): boolean {
  return name.length <= 255 && repository.test(name)
}

/** OCI distribution-spec, "Pulling manifests": the grammar of a tag. */
export function isTag(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(text)
}
