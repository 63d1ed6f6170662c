import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, IncomingMessage } from 'node:http'
import { request } from 'node:https'

/**
 * The least that a client in this language has to do for a watch: it parses each line, and forgets it. A program of its own.
 * Arguments: the address of the collection, files of the authority, the certificate and the key, and the port on which it
 * tells that it watches.
 */
const [url = '', ca = '', cert = '', key = '', port = ''] = process.argv.slice(2)
const [authority, certificate, secret] = [ca, cert, key].map((file) => readFileSync(file))
const options = { ca: authority, cert: certificate, key: secret }
const asked = request(`${url}?watch=true`, options).end()
const [answer] = await once(asked, 'response')
if (!(answer instanceof IncomingMessage) || answer.statusCode !== 200) throw new Error('no watch')
createServer((_question, reply) => reply.end()).listen(Number(port), '127.0.0.1')
answer.setEncoding('utf8')
let rest = ''
for await (const text of answer) {
  const lines = (rest + String(text)).split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) JSON.parse(line)
}
