import Fastify from 'fastify'
import accountsPlugin from 'fastify-identity/accounts'
import type { Contender, Mode } from './contender.js'
import { SECRET } from './environment.js'
import { usernameOf } from './profile.js'
import { Server, type StartOptions } from './server.js'

export const PASSWORD = 'correct horse battery staple'

/** Like `npm start` in production, without the build. */
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

/** High limits: the throttle is not measured here. */
const LIMITS = { LOGIN_LIMIT_ACCOUNT: '1000000', LOGIN_LIMIT_ADDRESS: '1000000' }

/** The user center in production, used in one mode. */
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

/** Starts it with login limits that the run does not reach. */
export function startUserCenter(contender: Contender, options: StartOptions): Promise<Server> {
  return Server.start(contender, { ...options, env: { ...LIMITS, ...options.env } })
}

/** Adds accounts to a directory that no server uses: those of users 0 to `count` - 1, and the given names. */
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
