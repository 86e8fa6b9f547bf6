import Fastify, { type FastifyInstance } from 'fastify'
import type { Account, AccountId, Clock, ModeName, SignInOptions } from './contract.js'
import { OptionInvalid } from './errors.js'
import { kSerializeCookie } from './http/cookies.js'
import { checkAccount } from './identity/account-check.js'

/** The headers that carry a credential. */
export type CredentialHeaders = Readonly<Record<'authorization' | 'cookie', string>>

/** A clock that stands still until a test moves it. Hand `clock.read` to the suite as `clock`. */
export class TestClock {
  readonly read: Clock = () => this.now

  /** @param now in ms since 1970; defaults to the time of this machine, which Redis compares with its own */
  constructor(public now = Date.now()) {}

  /** Moves the time forward. @param seconds may be a fraction */
  advance(seconds: number): void {
    this.now += seconds * 1000
  }
}

/** The first registered mode that can sign in an account. */
function firstMode({ authModes }: FastifyInstance): ModeName {
  const name = (['token', 'session', 'cookie'] as const).find((each) => authModes.names.includes(each))
  if (name === undefined)
    throw new OptionInvalid('mode', 'must be named: none of the built-in modes is registered')
  return name
}

/** What a client sends as `Authorization: Bearer`: an access token or an API key. */
function bearerOf(issued: unknown): unknown {
  if (typeof issued !== 'object' || issued === null) return undefined
  if ('token' in issued) return issued.token
  return 'key' in issued ? issued.key : undefined
}

function headersOf(issued: unknown, setCookie: readonly string[]): Partial<CredentialHeaders> {
  const bearer = bearerOf(issued)
  const cookie = setCookie.map((line) => line.split(';', 1)[0]).join('; ')
  return {
    ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
    ...(cookie === '' ? {} : { cookie }),
  }
}

/**
 * Signs an account in without its password, for tests of an application's own routes:
 * `app.inject({ url: '/orders', headers: await signedIn(app, { id: '1', username: 'ann', role: 'user' }) })`.
 *
 * The sign-in is a real one: it has a record, it expires, it can be ended. Guards find nothing unusual about it.
 * @param mode defaults to the first registered one of token, session and cookie
 * @param options as for `request.signIn`: claims, or the scopes of an API key
 * @throws MODE_UNKNOWN, OPTION_INVALID for a malformed account, EPOCH_PASSED, STORE_UNAVAILABLE
 */
export async function signedIn(
  app: FastifyInstance,
  account: Account<AccountId>,
  mode: ModeName = firstMode(app),
  options: SignInOptions = {},
): Promise<Partial<CredentialHeaders>> {
  await app.ready()
  const checked = checkAccount(account)
  const chosen = app.authModes.get(mode)
  // An instance of its own: a route of the application for this would be a way in, and its hooks might answer.
  const door = Fastify()
  door.decorate(kSerializeCookie, app[kSerializeCookie])
  const headers = new Promise<Partial<CredentialHeaders>>((resolve, reject) => {
    door.get('/', async (request, reply) => {
      try {
        const { issued } = await chosen.issue(request, reply, checked, options)
        resolve(headersOf(issued, [reply.getHeader('set-cookie') ?? []].flat().map(String)))
      } catch (error) {
        reject(error)
      }
      return null
    })
  })
  await Promise.all([headers, door.inject('/')]).finally(() => door.close())
  return headers
}
