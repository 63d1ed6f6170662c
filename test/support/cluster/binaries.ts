import { execFileSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { allows, tool } from '../clients.ts'

type Binary = 'etcd' | 'kube-apiserver' | 'kubectl'

/** The first minor version of Kubernetes 1 that takes our CRDs: 1.33 reckons what their rules cost too high. */
const oldest = 34

const versions: { readonly [name in Binary]: readonly string[] | null } = {
  etcd: null,
  'kube-apiserver': ['--version'],
  kubectl: ['version', '--client'],
}

const found = new Map<Binary, string | null>()

/** Use as `describe.skipIf(!needsCluster())`. */
export function needsCluster(): boolean {
  const missing = (['etcd', 'kube-apiserver', 'kubectl'] as const).filter((name) => !look(name))
  return allows(
    missing.length === 0,
    `${missing.join(', ')} of Kubernetes 1.${oldest} or newer: not in KUBEBUILDER_ASSETS, PATH or ${tool('')}`,
    '.ci/tools, or: setup-envtest use, and KUBEBUILDER_ASSETS=$(setup-envtest use -p path)',
  )
}

/** @throws Error where `needsCluster` is false */
export function binary(name: Binary): string {
  const path = look(name)
  if (path !== null) return path
  throw new Error(`there is no ${name}`)
}

function look(name: Binary): string | null {
  const known = found.get(name)
  if (known !== undefined) return known
  const path = candidates(name).find((path) => isThere(path) && isNewEnough(path, name)) ?? null
  found.set(name, path)
  return path
}

function candidates(name: string): readonly string[] {
  const assets = process.env['KUBEBUILDER_ASSETS']
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return [...[...(assets ? [assets] : []), ...folders].map((at) => join(at, name)), tool(name)]
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function isNewEnough(path: string, name: Binary): boolean {
  const question = versions[name]
  if (question === null) return true
  const answer = execFileSync(path, question, { encoding: 'utf8', timeout: 20_000 })
  return Number(/\bv1\.(\d+)\./.exec(answer)?.[1] ?? 0) >= oldest
}
