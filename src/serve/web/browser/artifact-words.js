/** What people read instead of media types; the first that fits. @type {readonly (readonly [RegExp, string])[]} */
const kinds = [
  [/image\.index|manifest\.list/, 'Image for several platforms'],
  [/(?:oci|docker)\..*(?:image|distribution)\.(?:manifest|config)/, 'Image'],
  [/notary\.signature|cosign.*(?:signature|simplesigning)|sigstore\.bundle/, 'Signature'],
  [/spdx|cyclonedx|syft|sbom/, 'List of its parts (SBOM)'],
  [/in-toto|slsa|attestation/, 'Attestation'],
  [/sarif|vuln|trivy/, 'Security report'],
  [/helm/, 'Helm chart'],
  [/wasm/, 'WebAssembly module'],
]

/** @param {string} type of media or of an artifact @returns {string} the type itself where nobody has words for it */
export function kindOf(type) {
  return kinds.find(([pattern]) => pattern.test(type))?.[1] ?? type
}

/** The specification's own names (OCI image-spec, "Annotations") without what they all begin with. @param {string} name */
export function annotationWords(name) {
  return name.replace(/^org\.opencontainers\.image\./, '')
}
