import { writeFile } from 'node:fs/promises'
import { describe, test } from 'vitest'
import { passwordLine } from '../support/callers.ts'
import { startPeer } from '../support/clients-daemon.ts'
import { clientHome, hostOf, needsTool, tool } from '../support/clients.ts'
import { needs } from '../support/programs.ts'
import { expectAll, makeGoods, shopper, stock } from '../support/registry-pulls.ts'

const able = [needsTool('registry'), needs('skopeo', 'apt-get install skopeo')].every(Boolean)

describe.skipIf(!able)('images are pulled from distribution 3', () => {
  test.each([null, { username: 'me', password: 'pass:word' }])('by %j', async (auth) => {
    await using home = await clientHome()
    const goods = await makeGoods(home)
    const htpasswd = home.at('htpasswd')
    await writeFile(htpasswd, await passwordLine('me', 'pass:word'))
    const program = tool('registry')
    await using peer = await startPeer(home, { program, ...(auth && { htpasswd }) })
    const repository = `${hostOf(peer.base)}/team/image`
    await stock(home, goods, repository, auth && `${auth.username}:${auth.password}`)
    await expectAll(shopper({ repository, section: auth ? { auth } : {} }), goods)
  })
})
