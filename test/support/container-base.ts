import { cp, copyFile, mkdir, realpath, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Home } from './clients.ts'

/** What the Dockerfile's steps run, and what starts the service. */
const programs = ['sh', 'env', 'mkdir', 'chown', 'find']
/** Where this machine's Node is mounted. */
export const nodeAt = '/usr/local/bin/node'
const certificates = '/etc/ssl/certs/ca-certificates.crt'

/**
 * The root of a stand-in for `node:24-slim`, out of programs of this machine: npm, and what the Dockerfile calls, and a
 * place for Node. No registry is asked for an image.
 */
export async function baseRoot(home: Home): Promise<string> {
  const root = home.at('base/root')
  for (const folder of ['usr/bin', 'usr/lib', 'usr/lib64', 'usr/local/bin', 'usr/local/lib'])
    await mkdir(join(root, folder), { recursive: true })
  for (const folder of ['tmp', 'proc', 'dev', 'sys', 'root', 'etc', 'usr/local/etc'])
    await mkdir(join(root, folder), { recursive: true })
  for (const folder of ['bin', 'lib', 'lib64']) await symlink(`usr/${folder}`, join(root, folder))
  for (const name of programs) await take(home, root, await found(home, name), `usr/bin/${name}`)
  await takeNode(home, root)
  await takeNpm(home, root)
  await takeNames(home, root)
  return root
}

async function found(home: Home, name: string): Promise<string> {
  return (await home.run('sh', '-c', `command -v ${name}`)).trim()
}

/** A program, with the libraries that it is linked to. */
async function take(home: Home, root: string, program: string, to: string): Promise<void> {
  await copyFile(await realpath(program), join(root, to))
  await takeLibraries(home, root, program)
}

async function takeLibraries(home: Home, root: string, program: string): Promise<void> {
  const linked = await home.run('ldd', program)
  for (const [library] of linked.matchAll(/\/\S+/g)) await takeFile(root, library)
}

/** Its 120 MB are not copied into each layer, but mounted where `nodeAt` says, which is empty. */
async function takeNode(home: Home, root: string): Promise<void> {
  await takeLibraries(home, root, process.execPath)
  await writeFile(join(root, nodeAt), '', { mode: 0o755 })
}

async function takeFile(root: string, path: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await copyFile(await realpath(path), join(root, path))
}

/** It asks the registry that this machine's npm asks, and trusts whom this machine trusts. */
async function takeNpm(home: Home, root: string): Promise<void> {
  const cli = await realpath(await found(home, 'npm'))
  await cp(join(dirname(cli), '..'), join(root, 'usr/local/lib/npm'), { recursive: true })
  await symlink('../lib/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
  await takeFile(root, certificates)
  const registry = (await home.run('npm', 'config', 'get', 'registry')).trim()
  const lines = [`registry=${registry}`, `cafile=${certificates}`, 'prefer-offline=true', '']
  // npm's global file is beside the folder of its packages.
  await writeFile(join(root, 'usr/local/etc/npmrc'), lines.join('\n'))
}

async function takeNames(home: Home, root: string): Promise<void> {
  await takeFile(root, '/etc/nsswitch.conf')
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/:\n')
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\n')
  const libraries = dirname(await libc(home))
  for (const name of ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'])
    await takeFile(root, join(libraries, name))
}

/** Names of hosts are resolved by libraries beside it, which no program is linked to. */
async function libc(home: Home): Promise<string> {
  const [path] = /\/\S*libc\.so\.6/.exec(await home.run('ldd', process.execPath)) ?? []
  if (path === undefined) throw new Error('node is not linked to a libc')
  return path
}
