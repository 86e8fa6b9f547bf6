import type { FastifyInstance } from 'fastify'
import fastifyIdentity, { type AccountSource, type Clock, developmentSecret } from 'fastify-identity'

/*
 * The cookie mode alone: who you are travels with the browser, and the server looks nothing up.
 *
 *   npm run example:cookie
 *   curl -c jar http://127.0.0.1:3000/set_cookie
 *   curl -b jar http://127.0.0.1:3000/get_cookie
 *   curl -b 'user_id=123456' http://127.0.0.1:3000/get_cookie     # nobody: that one is not ours
 */

export interface ExampleOptions {
  /** `AUTH_SECRETS` and `DATA_DIR`. Defaults to `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds since 1970. Tests move it. */
  readonly clock?: Clock
}

/** In seconds. */
const ONE_HOUR = 3600

/** Whom /set_cookie signs in. Nothing is asked here, to keep to the cookie: session.ts asks for a password. */
const VISITOR = { id: '123456', username: '123456', role: 'user' }

/** An application's own accounts are these two functions. Here there is one, and it has no password. */
const accounts: AccountSource = {
  verify: async () => null,
  find: async (id) => (id === VISITOR.id ? VISITOR : null),
}

export default async function cookieExample(app: FastifyInstance, options: ExampleOptions): Promise<void> {
  const { env = process.env, clock } = options
  const dataDir = env.DATA_DIR || './data/example-cookie'

  await app.register(fastifyIdentity, {
    // The cookie is sealed with a key made from this. Whoever has it can be anybody, so it is in no source file;
    // on this machine one is made at the first start, and kept, so that a restart signs nobody out.
    secrets: env.AUTH_SECRETS?.split(',') ?? [developmentSecret(dataDir)],
    clock,
    state: { dataDir },
    accounts,
    modes: ['cookie'],
    // Browsers send Secure cookies over TLS alone, and 127.0.0.1 has none.
    secure: env.NODE_ENV === 'production',
    // A limit of its own keeps use from prolonging it.
    cookie: { name: 'user_id', ttl: ONE_HOUR, rememberTtl: ONE_HOUR, absoluteTtl: ONE_HOUR },
  })

  // From another site's page a link here would sign somebody in without their asking.
  app.get(
    '/set_cookie',
    { exposeHeadRoute: false, onRequest: app.csrf.sameOrigin },
    async function setCookie(request) {
      // Sets `user_id`: HttpOnly, so that no script on a page can read it; Max-Age one hour; and what it says is
      // sealed with its date of expiry inside, since a browser may keep a cookie for as long as it likes.
      const { expiresIn } = await request.signIn('cookie', VISITOR)
      return { code: 200, msg: 'The cookie is set.', data: { user_id: VISITOR.id, expires_in: expiresIn } }
    },
  )

  // `optional`: nobody may ask, too, and somebody with a bad cookie is nobody.
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
