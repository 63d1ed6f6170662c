import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hash } from 'bcrypt'
import { certify } from '../unit/source/certificates.ts'
import { Layout } from './clients-layout.ts'
import { disk, mebibyte } from './disks.ts'

/** Of the network in which it runs alone. */
const address = '127.0.0.1:5000'
const login = { name: 'admin', password: 'secret:of-dvcr' }
const auth = Buffer.from(`${login.name}:${login.password}`).toString('base64')

/** Images as DVCR keeps them: Docker manifests, one gzipped layer with `disk/<file>`, tagged with the uid of their resource. */
const images = [
  {
    repository: 'cvi/ubuntu',
    tag: '7d2f6a0e-4c7b-4d0a-9a53-0d1b7f5f5c11',
    file: 'ubuntu-22.04.img',
  },
  {
    repository: 'vi/team-a/debian',
    tag: '0f9a1c52-65a8-4b60-8a3e-4a3f0c1a7e02',
    file: 'debian.raw',
  },
]

/** What they are called here, by the README. */
export const dvcrNames = ['ubuntu', 'team-a-debian'] as const

/** The registry of somebody who moves from DVCR. */
export class Dvcr {
  /** Shell commands that start it and fill it. */
  readonly start: string
  /** What that somebody knows beside the files. */
  readonly variables = { DVCR: address }

  private constructor(start: string) {
    this.start = start
  }

  /** @param reader the folder with what the cluster's Secrets have: `dvcr.json` and `dvcr.pem` */
  static async prepare(folder: string, reader: string): Promise<Dvcr> {
    await mkdir(folder)
    const { ca, cert, key } = await certify('IP:127.0.0.1')
    await writeFile(join(folder, 'tls.crt'), cert)
    await writeFile(join(folder, 'tls.key'), key)
    await writeFile(join(reader, 'dvcr.pem'), ca)
    await writeFile(join(reader, 'dvcr.json'), JSON.stringify({ auths: { [address]: { auth } } }))
    const htpasswd = join(folder, 'htpasswd')
    await writeFile(htpasswd, `${login.name}:${await hash(login.password, 4)}\n`)
    const config = join(folder, 'config.yml')
    await writeFile(config, JSON.stringify(configOf(folder, htpasswd)))
    const layout = await layoutOf(join(folder, 'layout'))
    const copies = images.map(
      ({ repository, tag }) =>
        `skopeo copy -q --format v2s2 --dest-tls-verify=false --dest-authfile ${reader}/dvcr.json oci:${layout}:${tag} docker://${address}/${repository}:${tag}`,
    )
    return new Dvcr(
      [
        `OTEL_TRACES_EXPORTER=none docker-registry serve ${config} >${folder}/log 2>&1 &`,
        `curl -s -o /dev/null --retry 20 --retry-connrefused --insecure https://${address}/v2/`,
        ...copies,
      ].join('\n'),
    )
  }
}

async function layoutOf(path: string): Promise<string> {
  const layout = await Layout.begin(path)
  const made = images.map(async ({ tag, file }) => {
    const bytes = disk(mebibyte)
    bytes.write(tag, 4096)
    return [tag, await layout.image({ [`disk/${file}`]: bytes })] as const
  })
  await layout.finish(Object.fromEntries(await Promise.all(made)))
  return path
}

/** YAML takes JSON. */
function configOf(folder: string, htpasswd: string): object {
  return {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
    http: {
      addr: address,
      tls: { certificate: join(folder, 'tls.crt'), key: join(folder, 'tls.key') },
    },
    auth: { htpasswd: { realm: 'dvcr', path: htpasswd } },
  }
}
