import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import type { Program } from '../programs.ts'
import { freePort, Server } from './server.ts'

export const nginx: Program = { name: 'nginx', package: 'nginx-light' }

export type Nginx = {
  readonly pid: number | null
  readonly url: (file: string) => string
}

export type NginxOptions = {
  /** The only core that it may run on. */
  readonly core?: number | null
  /** What it gives a second over one connection, as `limit_rate` reads it. */
  readonly rate?: string
}

/** Serves the files of a folder by sendfile. */
export async function startNginx(
  folder: string,
  root: string,
  { signal }: Bench,
  resources: AsyncDisposableStack,
  { core = null, rate = '0' }: NginxOptions = {},
): Promise<Nginx> {
  const address = `127.0.0.1:${await freePort()}`
  const config = join(folder, 'nginx.conf')
  await mkdir(folder, { recursive: true })
  await writeFile(config, configuration(address, folder, root, rate))
  const launch = {
    program: nginx.name,
    args: ['-p', folder, '-c', config, '-e', join(folder, 'error.log')],
    ready: `http://${address}/ready`,
    core,
  }
  const { pid } = resources.use(await Server.start(launch, signal))
  return { pid, url: (file) => `http://${address}/${file}` }
}

/** One process: memory and processor time are then those of the one who works. */
function configuration(address: string, folder: string, root: string, rate: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
master_process off;
pid ${folder}/pid;
error_log ${folder}/error.log;
events {}
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  limit_rate ${rate};
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  server {
    listen ${address};
    root ${root};
    location = /ready { return 200; }
  }
}
`
}
