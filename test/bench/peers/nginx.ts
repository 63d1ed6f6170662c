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

/** Serves the files of a folder by sendfile. */
export async function startNginx(
  folder: string,
  root: string,
  { signal }: Bench,
  resources: AsyncDisposableStack,
  core: number | null = null,
): Promise<Nginx> {
  const address = `127.0.0.1:${await freePort()}`
  const config = join(folder, 'nginx.conf')
  await mkdir(folder, { recursive: true })
  await writeFile(config, configuration(address, folder, root))
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
function configuration(address: string, folder: string, root: string): string {
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
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  server {
    listen ${address};
    root ${root};
    location = /ready { return 200; }
  }
}
`
}
