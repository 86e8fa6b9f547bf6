import Fastify from 'fastify'
import accountsPlugin from 'fastify-identity/accounts'
import type { Contender, Mode } from './contender.js'
import { SECRET } from './environment.js'
import { usernameOf } from './profile.js'
import { Server, type StartOptions } from './server.js'

export const PASSWORD = 'correct horse battery staple'

/** As `npm start` runs it, in production, without the build in front. */
const START = [
  'node_modules/.bin/fastify',
  'start',
  '--options',
  '--config',
  'scripts/start-options.cjs',
  'dist/app.js',
]

const ENVIRONMENT = {
  SINGLE_INSTANCE: 'true',
  AUTH_SECRETS: SECRET,
  SIGN_IN_CAP: '1000',
}

/** What the throttle would have to say is not measured here. */
const LIMITS = { LOGIN_LIMIT_ACCOUNT: '1000000', LOGIN_LIMIT_ADDRESS: '1000000' }

/** The user center in production, asked by one mode. */
export function userCenter(mode: Mode): Contender {
  return {
    name: `user center, ${mode}`,
    start: START,
    env: ENVIRONMENT,
    signInPath: `/login_${mode}`,
    password: PASSWORD,
    guarded: true,
    signOut: 'at once',
    usesRedis: true,
    mode,
  }
}

/** Starts it with limits to logins that nobody reaches. */
export function startUserCenter(contender: Contender, options: StartOptions): Promise<Server> {
  return Server.start(contender, { ...options, env: { ...LIMITS, ...options.env } })
}

/** Adds accounts to a directory that no server has open: names of users 0 to `count` - 1, and the others given. */
export async function addAccounts(
  dataDir: string,
  count: number,
  disabled: readonly string[] = [],
): Promise<void> {
  const app = Fastify()
  await app.register(accountsPlugin, { dataDir })
  await app.ready()
  const names = [...Array.from({ length: count }, (_, index) => usernameOf(index)), ...disabled]
  for (const username of names) {
    const { id } = await app.accounts.create({ username, password: PASSWORD, role: 'user' })
    if (disabled.includes(username)) await app.accounts.setDisabled(id, true)
  }
  await app.close()
}
