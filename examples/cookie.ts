import type { FastifyInstance } from 'fastify'
import fastifyIdentity, { type AccountSource, type Clock, developmentSecret } from 'fastify-identity'

/*
 * The cookie mode alone: the browser carries the identity, and the server needs no lookup.
 *
 * npm run example:cookie curl -c jar http://127.0.0.1:3000/set_cookie curl -b jar http://127.0.0.1:3000/get_cookie curl
 * -b 'user_id=123456' http://127.0.0.1:3000/get_cookie     # recognises nobody: not our cookie
 */

export interface ExampleOptions {
  /** `AUTH_SECRETS` and `DATA_DIR`. Defaults to `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds since 1970. Tests move it. */
  readonly clock?: Clock
}

/** In seconds. */
const ONE_HOUR = 3600

/** The account that /set_cookie signs in, without a password. session.ts asks for a password. */
const VISITOR = { id: '123456', username: '123456', role: 'user' }

/** An application's own accounts need these two functions. This example has one account, without a password. */
const accounts: AccountSource = {
  verify: async () => null,
  find: async (id) => (id === VISITOR.id ? VISITOR : null),
}

export default async function cookieExample(app: FastifyInstance, options: ExampleOptions): Promise<void> {
  const { env = process.env, clock } = options
  const dataDir = env.DATA_DIR || './data/example-cookie'

  await app.register(fastifyIdentity, {
    // The cookie is sealed with a key made from this secret. Anybody who has it can sign in as anybody, so it must
    // not be in a source file. The first start makes one and keeps it, so that a restart signs nobody out.
    secrets: env.AUTH_SECRETS?.split(',') ?? [developmentSecret(dataDir)],
    clock,
    state: { dataDir },
    accounts,
    modes: ['cookie'],
    // Browsers send Secure cookies only over TLS, and 127.0.0.1 has none.
    secure: env.NODE_ENV === 'production',
    // With this limit, use does not prolong the sign-in.
    cookie: { name: 'user_id', ttl: ONE_HOUR, rememberTtl: ONE_HOUR, absoluteTtl: ONE_HOUR },
  })

  // Otherwise a link on another site could sign somebody in without their consent.
  app.get(
    '/set_cookie',
    { exposeHeadRoute: false, onRequest: app.csrf.sameOrigin },
    async function setCookie(request) {
      // Sets `user_id`: HttpOnly, so that no script can read it, and Max-Age one hour. The sealed content contains
      // the expiry, since a browser may keep a cookie for longer.
      const { expiresIn } = await request.signIn('cookie', VISITOR)
      return { code: 200, msg: 'The cookie is set.', data: { user_id: VISITOR.id, expires_in: expiresIn } }
    },
  )

  // `optional`: callers without a valid cookie may ask too. Their identity is null.
  const anybody = app.guard({ optional: true })
  app.get('/get_cookie', { preHandler: anybody }, async function getCookie(request) {
    const identity = request.identityOrNull
    if (!identity) {
      return { code: 200, msg: 'I do not recognise you. Go to /set_cookie first.', data: { user_id: null } }
    }
    const { accountId } = identity
    return { code: 200, msg: `I recognise you: you are user ${accountId}.`, data: { user_id: accountId } }
  })
}
