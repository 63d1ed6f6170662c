/**
 * Lines to copy: how an image is fetched by the programs that people have.
 * @import { ImageBody } from '../../../image/status.ts'
 */

/** @typedef {{ readonly title: string, readonly hint: string, readonly text: string }} Line */

/** @param {ImageBody} image @param {URL} base of this page @returns {readonly Line[]} */
export function linesOf(image, base) {
  const { name, status } = image
  const { registryURL, digest } = status.target
  const disk = new URL(`api/v1/images/${name}/disk`, base).href
  const isPlain = base.protocol === 'http:' && registryURL.startsWith(`${base.host}/`)
  const file = `${name}.${extensionOf(status.format)}`
  const reference = `${registryURL}:latest`
  const exact = digest === undefined ? reference : `${registryURL}@${digest}`
  return [
    {
      title: 'curl',
      hint: 'The disk file itself; a broken download goes on with -C -',
      text: `curl -fL -C - -o ${file} ${disk}`,
    },
    {
      title: 'qemu and libvirt',
      hint: 'Read over HTTP, nothing is copied before',
      text: `qemu-img convert -p -O qcow2 ${disk} ${name}.qcow2`,
    },
    {
      title: 'skopeo',
      hint: 'As an OCI image, to a folder',
      text: `skopeo copy ${isPlain ? '--src-tls-verify=false ' : ''}docker://${reference} dir:${name}`,
    },
    {
      title: 'containerd',
      hint: 'On a node',
      text: `ctr -n k8s.io images pull ${isPlain ? '--plain-http ' : ''}${reference}`,
    },
    { title: 'KubeVirt', hint: 'A volume of a VirtualMachineInstance', text: containerDisk(exact) },
    { title: 'kubectl', hint: 'The same image as a resource', text: manifest(image) },
  ]
}

/** @param {string} reference */
function containerDisk(reference) {
  return `volumes:\n  - name: disk\n    containerDisk:\n      image: ${reference}`
}

/** @param {ImageBody} image */
function manifest({ name, dataSource }) {
  return [
    'apiVersion: virtualization.deckhouse.io/v1alpha2',
    'kind: ClusterVirtualImage',
    'metadata:',
    `  name: ${name}`,
    'spec:',
    '  dataSource:',
    ...sourceOf(dataSource).map((line) => `    ${line}`),
  ].join('\n')
}

/** @param {ImageBody['dataSource']} source */
function sourceOf({ type, http, containerImage, objectRef }) {
  if (http) return [`type: ${type}`, 'http:', `  url: ${JSON.stringify(http.url)}`]
  if (containerImage) {
    return [`type: ${type}`, 'containerImage:', `  image: ${JSON.stringify(containerImage.image)}`]
  }
  if (objectRef)
    return [
      `type: ${type}`,
      'objectRef:',
      ...Object.entries(objectRef).map(([key, value]) => `  ${key}: ${value}`),
    ]
  return [`type: ${type}`]
}

/** @param {string | undefined} format */
function extensionOf(format) {
  return format === undefined || format === 'raw' ? 'img' : format
}
