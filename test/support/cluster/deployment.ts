import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadAll } from 'js-yaml'
import { z } from 'zod'
import { tool } from '../clients.ts'
import { run } from '../shell.ts'
import { binary } from './binaries.ts'
import type { Cluster } from './cluster.ts'

export const deploy = fileURLToPath(new URL('../../../deploy', import.meta.url))
export const namespace = 'slipway'

/** Folder of the Gateway API's CRDs, where `.ci/tools` puts them. */
export const gatewayApi = tool('../share/gateway-api')

/** A helm that `go install` makes takes itself for one of Kubernetes 1.20. */
const kubernetes = ['--kube-version', '1.34.0']

/** Our resource, the namespace and the rights of service and companion. */
export async function applyRights(cluster: Cluster): Promise<void> {
  await cluster.applyCrds()
  const apply = ['apply', '--server-side']
  await cluster.kubectl(...apply, '-f', join(deploy, 'base/namespace.yaml'))
  await cluster.kubectl(...apply, '-k', join(deploy, 'rbac'))
}

/** The base of `deploy/` with these components, as YAML. @param folder an empty one, for the kustomization */
export async function kustomized(
  folder: string,
  components: readonly string[],
  fields: object = {},
): Promise<string> {
  await mkdir(folder, { recursive: true })
  const at = (path: string) => relative(folder, join(deploy, path))
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [at('base')],
    components: components.map((name) => at(join('components', name))),
    ...fields,
  }
  await writeFile(join(folder, 'kustomization.yaml'), JSON.stringify(kustomization))
  return await built(folder)
}

/** What the kustomization in a folder makes, as YAML. */
export async function built(folder: string): Promise<string> {
  return await run(binary('kubectl'), ['kustomize', folder])
}

/** What the chart makes, as YAML. @param args such as `--values FILE` */
export async function charted(...args: readonly string[]): Promise<string> {
  const chart = [namespace, join(deploy, 'chart'), '--namespace', namespace]
  return await run(tool('helm'), ['template', ...chart, ...kubernetes, ...args])
}

/** @returns what helm has to say about the chart with these values */
export async function linted(...args: readonly string[]): Promise<string> {
  return await run(tool('helm'), [
    'lint',
    '--strict',
    join(deploy, 'chart'),
    ...kubernetes,
    ...args,
  ])
}

const objectSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
})
export type ClusterObject = z.output<typeof objectSchema>

export function objectsOf(yaml: string): readonly ClusterObject[] {
  const documents = loadAll(yaml).filter((document) => document !== null && document !== undefined)
  return documents.map((document) => objectSchema.parse(document))
}

/** By kind, namespace and name, without what says who made it, and lists of named things in the order of their names. */
export function comparable(objects: readonly ClusterObject[]): { readonly [key: string]: unknown } {
  return Object.fromEntries(
    objects.map((each) => {
      const { annotations = {}, ...metadata } = each.metadata
      const kept = Object.entries(annotations).filter(([name]) => !name.startsWith('helm.sh/'))
      const shown = { ...metadata, labels: null, annotations: Object.fromEntries(kept) }
      const own = { ...each, metadata: shown }
      return [`${each.kind} ${metadata.namespace ?? ''}/${metadata.name}`, inOrder(own)]
    }),
  )
}

const named = z.array(z.looseObject({ name: z.string() })).min(1)

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) {
    const sorted = named.safeParse(value).data?.toSorted((a, b) => a.name.localeCompare(b.name))
    return (sorted ?? value).map(inOrder)
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, inOrder(each)]))
}

const deploymentSchema = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({
        containers: z.array(
          z.looseObject({
            name: z.string(),
            env: z.array(z.object({ name: z.string(), value: z.string().optional() }).loose()),
          }),
        ),
      }),
    }),
  }),
})

/** The variables of each container with its image's own ones, as the kubelet gives them to it: by the container's name. */
export function environments(
  objects: readonly ClusterObject[],
): Map<string, Record<string, string>> {
  const deployments = objects.filter(({ kind }) => kind === 'Deployment')
  const containers = deployments.flatMap(
    (each) => deploymentSchema.parse(each).spec.template.spec.containers,
  )
  return new Map(containers.map(({ name, env }) => [name, expanded(env)]))
}

/** `$(NAME)` is what a variable before it has; what comes from elsewhere is not known here. */
function expanded(env: readonly { name: string; value?: string | undefined }[]) {
  const all: Record<string, string> = { ...imageVariables() }
  for (const { name, value = 'from-elsewhere' } of env) {
    all[name] = value.replace(/\$\((\w+)\)/g, (whole, other: string) => all[other] ?? whole)
  }
  return all
}

function imageVariables(): Record<string, string> {
  const dockerfile = readFileSync(join(deploy, '../Dockerfile'), 'utf8')
  const [, block = ''] = /^ENV ((?:.*\\\n)*.*)$/m.exec(dockerfile) ?? []
  return Object.fromEntries(
    [...block.matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
  )
}
