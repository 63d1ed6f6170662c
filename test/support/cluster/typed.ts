import { delimiter, dirname } from 'node:path'
import type { Variables } from '../service.ts'
import { run } from '../shell.ts'
import { binary } from './binaries.ts'
import type { Cluster } from './cluster.ts'

/** What a line prints that the cluster's admin types. It has to succeed. */
export async function typed(
  { kubeconfig, folder }: Cluster,
  line: string,
  variables: Variables = {},
): Promise<string> {
  const PATH = [dirname(binary('kubectl')), process.env['PATH']].join(delimiter)
  const env = { ...variables, PATH, KUBECONFIG: kubeconfig, HOME: folder }
  return await run('sh', ['-c', line], { env, cwd: folder })
}
