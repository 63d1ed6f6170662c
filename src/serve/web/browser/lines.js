/**
 * Lines to copy: how an image is fetched by the programs that people have.
 * @import { ImageBody } from '../../../image/status.ts'
 */

import { manifest } from './manifest.js'

/** @typedef {{ readonly title: string, readonly hint: string, readonly text: string }} Line */

/**
 * What all lines are made of. `user` is null where no token is asked for; `host` and `reference` are those of the registry.
 * @typedef {{
 *   readonly name: string, readonly disk: URL, readonly file: string, readonly driver: string, readonly isCd: boolean,
 *   readonly host: string, readonly reference: string, readonly exact: string, readonly isPlain: boolean,
 *   readonly user: string | null,
 * }} Facts
 */

/**
 * @param {ImageBody} image that is Ready
 * @param {URL} base of this page
 * @param {string | null} user whose token is in $SLIPWAY_TOKEN; null where none is asked for
 * @returns {readonly Line[]}
 */
export function linesOf(image, base, user) {
  const facts = factsOf(image, base, user)
  return [
    curl(facts),
    qemu(facts),
    libvirt(facts),
    skopeo(facts),
    containerd(facts),
    ...(facts.isPlain ? [hosts(facts)] : []),
    ...(user === null ? [] : [pullSecret(facts, user)]),
    kubeVirt(facts),
    {
      title: 'kubectl',
      hint: 'The same image as a resource, for kubectl apply -f.',
      text: manifest(image),
    },
  ]
}

/** How the file that an image waits for is sent; null for one that waits for none. @param {ImageBody} image @returns {Line | null} */
export function uploadLineOf({ status: { uploadCommand, upload } }) {
  if (upload) {
    const hint = 'Sends what has not arrived yet; example.iso stands for your file.'
    return { title: 'The rest of an upload', hint, text: upload.resumeCommand }
  }
  if (uploadCommand === undefined) return null
  const hint = 'The address takes this one image; example.iso stands for your file.'
  return { title: 'An upload', hint, text: uploadCommand }
}

/** @param {ImageBody} image @param {URL} base @param {string | null} user @returns {Facts} */
function factsOf({ name, status }, base, user) {
  const { registryURL, digest } = status.target
  const [host = ''] = registryURL.split('/')
  const reference = `${registryURL}:latest`
  const format = status.format ?? 'raw'
  return {
    name,
    disk: new URL(`api/v1/images/${name}/disk`, base),
    file: `${name}.${format === 'raw' ? 'img' : format}`,
    driver: drivers.get(format) ?? format,
    isCd: format === 'iso',
    host,
    reference,
    exact: digest === undefined ? reference : `${registryURL}@${digest}`,
    isPlain: base.protocol === 'http:' && host === base.host,
    user,
  }
}

/** Formats that QEMU calls otherwise. */
const drivers = new Map([
  ['iso', 'raw'],
  ['vhd', 'vpc'],
])

/** @param {Facts} facts @returns {Line} */
function curl({ disk, file, user }) {
  const token = user === null ? '' : '-H "Authorization: Bearer $SLIPWAY_TOKEN" '
  return {
    title: 'curl',
    hint: 'The disk file itself. Run it again after a break, and it goes on.',
    text: `curl -fL -C - ${token}-o ${file} ${word(disk.href)}`,
  }
}

/** QEMU 7.2 hangs over HTTP now and then, whatever server it is, unless it asks for one part at a time. */
const single = '-m 1'

/** @param {Facts} facts @returns {Line} */
function qemu({ name, disk, driver, user }) {
  const to = `-O qcow2 ${name}-copy.qcow2`
  const hint = 'Reads over HTTP, and writes a qcow2 disk that a machine can start from.'
  if (user === null) {
    return {
      title: 'qemu-img',
      hint,
      text: `qemu-img convert ${single} -f ${driver} ${word(disk.href)} ${to}`,
    }
  }
  const { protocol } = disk
  const options = [
    `driver=${driver}`,
    `file.driver=${protocol.slice(0, -1)}`,
    `file.url=${disk.href}`,
    `file.username=${user}`,
    'file.password-secret=token',
  ]
  return {
    title: 'qemu-img',
    hint,
    text: [
      `qemu-img convert ${single} --object "secret,id=token,data=$SLIPWAY_TOKEN" \\`,
      `  --image-opts ${word(options.map(optionPart).join(','))} ${to}`,
    ].join('\n'),
  }
}

/** QEMU takes a comma for the end of an option unless there are two. @param {string} text */
function optionPart(text) {
  return text.replaceAll(',', ',,')
}

/** @param {Facts} facts @returns {Line} */
function libvirt(facts) {
  const { isCd, driver, user } = facts
  return {
    title: 'libvirt',
    hint:
      user === null
        ? 'A disk of a domain that reads over HTTP; nothing is copied before.'
        : 'A disk of a domain. libvirt sends no token: fetch the file with curl first.',
    text: [
      `<disk type='${user === null ? 'network' : 'file'}' device='${isCd ? 'cdrom' : 'disk'}'>`,
      `  <driver name='qemu' type='${driver}'/>`,
      ...(user === null
        ? remote(facts)
        : [`  <source file='/var/lib/libvirt/images/${facts.file}'/>`]),
      isCd ? "  <target dev='sda' bus='sata'/>" : "  <target dev='vda' bus='virtio'/>",
      ...(user === null || isCd ? ['  <readonly/>'] : []),
      '</disk>',
    ].join('\n'),
  }
}

/** @param {Facts} facts */
function remote({ disk }) {
  const { protocol, hostname, port, pathname } = disk
  const isPlain = protocol === 'http:'
  const given = port === '' ? (isPlain ? '80' : '443') : port
  return [
    `  <source protocol='${isPlain ? 'http' : 'https'}' name='${xml(pathname)}'>`,
    `    <host name='${xml(hostname.replace(/^\[|\]$/g, ''))}' port='${given}'/>`,
    '  </source>',
  ]
}

/** @param {Facts} facts @returns {Line} */
function skopeo({ name, reference, isPlain, user }) {
  const plain = isPlain ? '--src-tls-verify=false ' : ''
  const token = user === null ? '' : `--src-creds ${withToken(user)} `
  return {
    title: 'skopeo',
    hint: 'As an OCI image, to a folder.',
    text: `skopeo copy ${plain}${token}docker://${reference} dir:${name}`,
  }
}

/** @param {Facts} facts @returns {Line} */
function containerd({ reference, isPlain, user }) {
  const plain = isPlain ? '--plain-http ' : ''
  const token = user === null ? '' : `--user ${withToken(user)} `
  return {
    title: 'containerd',
    hint: 'On a node, for all that Kubernetes runs there.',
    text: `ctr -n k8s.io images pull ${plain}${token}${reference}`,
  }
}

/** @param {Facts} facts @returns {Line} */
function hosts({ host }) {
  return {
    title: 'containerd over plain HTTP',
    hint: `On each node, so that Kubernetes pulls from here. It is the file /etc/containerd/certs.d/${host}/hosts.toml.`,
    text: [
      `server = "http://${host}"`,
      '',
      `[host."http://${host}"]`,
      '  capabilities = ["pull", "resolve"]',
    ].join('\n'),
  }
}

/** @param {Facts} facts @param {string} user @returns {Line} */
function pullSecret({ host }, user) {
  return {
    title: 'A pull secret',
    hint: 'Kubernetes shows it to the registry; once for each namespace.',
    text: [
      'kubectl create secret docker-registry slipway \\',
      `  --docker-server=${host} --docker-username=${word(user)} --docker-password="$SLIPWAY_TOKEN"`,
    ].join('\n'),
  }
}

/** @param {Facts} facts @returns {Line} */
function kubeVirt({ exact, user }) {
  return {
    title: 'KubeVirt',
    hint: 'A volume of a VirtualMachine: spec.template.spec.',
    text: [
      'volumes:',
      '  - name: disk',
      '    containerDisk:',
      `      image: ${exact}`,
      ...(user === null ? [] : ['      imagePullSecret: slipway']),
    ].join('\n'),
  }
}

/** A text as one word of a shell. @param {string} text */
function word(text) {
  return /^[\w:/.@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

/** A name and its token as one word of a shell, which puts the token in. @param {string} user */
function withToken(user) {
  return `"${user.replace(/["$`\\!]/g, '\\$&')}:$SLIPWAY_TOKEN"`
}

/** @param {string} text */
function xml(text) {
  return text.replace(/[&<>'"]/g, (sign) => `&#${sign.charCodeAt(0)};`)
}
