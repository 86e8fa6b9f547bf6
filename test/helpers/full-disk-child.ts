/*
 * The user center on a data directory, in a process whose files cannot grow beyond a limit. It asks for readiness, signs in
 * until that fails, and asks again; each outcome is a line on standard output.
 */
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import userCenter, { serverOptions } from '../../app.js'

// The system tells a process that wants to write more by a signal, which ends it unless somebody listens.
process.on('SIGXFSZ', () => {})

const env = { DATA_DIR: process.argv[2] ?? '', LOGIN_LIMIT_ACCOUNT: '1000', LOGIN_LIMIT_ADDRESS: '1000' }
let now = Date.UTC(2031, 0, 1)
const app = Fastify(serverOptions(env))
await app.register(fp(userCenter), { env, clock: () => now })
await app.ready()

async function tell(name: string, request: { method?: 'POST'; url: string; payload?: object }) {
  now += 1000
  const { statusCode } = await app.inject(request)
  process.stdout.write(`${name} ${statusCode}\n`)
  return statusCode
}

const payload = { username: 'admin', password: 'admin123' }
await tell('ready', { url: '/readyz' })
while ((await tell('login', { method: 'POST', url: '/login_session', payload })) === 200);
await tell('ready', { url: '/readyz' })
process.stdout.write('ended\n')
process.exit(0)
