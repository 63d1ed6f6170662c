import { chmod, writeFile } from 'node:fs/promises'
import { freePort } from '../bench/peers/server.ts'
import { answers, startDaemon } from './clients-daemon.ts'
import type { Home } from './clients.ts'
import { run } from './shell.ts'

export type RealProxyOptions = {
  /** The only user that it lets through. */
  readonly user?: { readonly name: string; readonly password: string }
  /** Ports that tunnels may lead to; no tunnel leads to another one. */
  readonly tunnels?: readonly number[]
}

export type RealProxy = AsyncDisposable & {
  /** `host:port`. */
  readonly name: string
}

/**
 * Squid, which finds `mirror.example` on this machine, and nobody else does.
 * @param home is opened for the user that squid changes to when it is started by root
 */
export async function startSquid(home: Home, options: RealProxyOptions): Promise<RealProxy> {
  const { user } = options
  const name = `127.0.0.1:${await freePort()}`
  const at = (file: string) => home.at(`squid-${file}`)
  await chmod(home.path, 0o777)
  await writeFile(at('hosts'), '127.0.0.1 localhost mirror.example\n')
  if (user) {
    const hash = await run('openssl', ['passwd', '-apr1', user.password])
    await writeFile(at('users'), `${user.name}:${hash}`, { mode: 0o644 })
  }
  await writeFile(at('conf'), squidConfig(name, at, options))
  const daemon = await startDaemon({
    program: 'squid',
    args: ['-N', '-f', at('conf')],
    home,
    isReady: () => answers(`http://${name}/`),
  })
  return { name, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() }
}

function squidConfig(
  name: string,
  at: (file: string) => string,
  { user, tunnels = [] }: RealProxyOptions,
): string {
  const access = user
    ? `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${at('users')}
auth_param basic realm squid
acl known proxy_auth REQUIRED
http_access allow known`
    : 'http_access allow all'
  return `http_port ${name}
visible_hostname squid.test
hosts_file ${at('hosts')}
pid_filename none
access_log none
cache_log /dev/null
cache_store_log none
netdb_filename none
cache deny all
shutdown_lifetime 0 seconds
coredump_dir none
acl tunnels port ${['9', ...tunnels].join(' ')}
acl CONNECT method CONNECT
http_access deny CONNECT !tunnels
${access}
`
}

/** Tinyproxy, for which names are what they are for this machine. */
export async function startTinyproxy(
  home: Home,
  { user, tunnels = [] }: RealProxyOptions,
): Promise<RealProxy> {
  const port = await freePort()
  const name = `127.0.0.1:${port}`
  const config = home.at(`tinyproxy-${port}.conf`)
  const lines = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'Timeout 60',
    'LogLevel Critical',
    `LogFile "${home.at('tinyproxy.log')}"`,
    'MaxClients 100',
    'ViaProxyName "tinyproxy"',
    ...['9', ...tunnels].map((tunnel) => `ConnectPort ${tunnel}`),
    ...(user ? [`BasicAuth ${user.name} ${user.password}`] : []),
  ]
  await writeFile(config, `${lines.join('\n')}\n`)
  const daemon = await startDaemon({
    program: 'tinyproxy',
    args: ['-d', '-c', config],
    home,
    isReady: () => answers(`http://${name}/`),
  })
  return { name, [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() }
}
