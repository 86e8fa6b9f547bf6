import formbody from '@fastify/formbody'
import { Type, type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import fastifyIdentity, { type Clock, developmentSecret, seedDevelopmentAccounts } from 'fastify-identity'
import { ITEM_MAX, PASSWORD_MAX, sendHome, sendLogin, USERNAME_MAX } from './session-pages.js'

/*
 * The session mode alone: the browser holds an id that says nothing, and the server knows what belongs to it.
 *
 *   npm run example:session        then open http://127.0.0.1:3000
 */

export interface ExampleOptions {
  /** `AUTH_SECRETS` and `DATA_DIR`. Defaults to `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds since 1970. Tests move it. */
  readonly clock?: Clock
}

declare module 'fastify' {
  interface Session {
    cart?: string[]
  }
}

/** Anybody may fill a cart, and it is kept: so it has bounds. */
const CART_MAX = 20

const field = (maxLength: number) => Type.String({ minLength: 1, maxLength })
const CartForm = Type.Object({ item: Type.String({ maxLength: ITEM_MAX, pattern: '\\S' }) })
const LoginForm = Type.Object({ username: field(USERNAME_MAX), password: field(PASSWORD_MAX) })

async function registerIdentity(app: FastifyInstance, { env = process.env, clock }: ExampleOptions) {
  const dataDir = env.DATA_DIR || './data/example-session'
  await app.register(fastifyIdentity, {
    // Ids are signed, and what is stored is sealed, with keys made from this. On this machine it is made at the
    // first start, and kept, so that a restart signs nobody out.
    secrets: env.AUTH_SECRETS?.split(',') ?? [developmentSecret(dataDir)],
    clock,
    state: { dataDir },
    // Names and password hashes (argon2id) in a file. A hash, so that a copy of the file tells no passwords.
    accounts: { dataDir },
    modes: ['session'],
    // Browsers send Secure cookies over TLS alone, and 127.0.0.1 has none.
    secure: env.NODE_ENV === 'production',
  })
  // admin / admin123 and user1 / user123, which everybody knows: on your own machine only.
  if (env.NODE_ENV !== 'production') await seedDevelopmentAccounts(app.accounts, app.log)
}

function addCart(scope: FastifyInstance): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  // Guard: who is asking. `optional`: visitors may, too, and an old cookie makes a visitor.
  // `app.useSession` gives a route `request.session`; no other route pays for it.
  const preHandler = [app.guard({ optional: true }), app.useSession]

  app.get('/', { preHandler }, async function showHome(request, reply) {
    const username = request.identityOrNull?.username ?? null
    return sendHome(reply, { username, cart: request.session.cart ?? [] })
  })

  const cart = { schema: { body: CartForm }, onRequest: app.csrf.sameOrigin, preHandler }
  app.post('/cart', cart, async function fillCart(request, reply) {
    const username = request.identityOrNull?.username ?? null
    const { cart = [] } = request.session
    if (cart.length >= CART_MAX) {
      return sendHome(reply.code(409), { username, cart, note: 'The cart is full.' })
    }
    // Only now is anything stored, and a cookie set: a visitor who puts nothing anywhere costs nothing.
    request.session.cart = [...cart, request.body.item]
    // 303: the browser goes on with GET, so that reloading the page sends nothing again.
    return reply.redirect('/', 303)
  })
}

function addLogin(scope: FastifyInstance): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()

  app.get('/login', async function showLogin(_request, reply) {
    return sendLogin(reply)
  })

  // Another site could log people in as somebody else, and read later what they did there: hence the check.
  const login = { schema: { body: LoginForm }, onRequest: app.csrf.sameOrigin }
  app.post('/login', login, async function logIn(request, reply) {
    const account = await app.accountSource.verify(request.body.username, request.body.password)
    // The same answer, after the same time, for a wrong password and for a name that nobody has.
    if (!account) return sendLogin(reply.code(401), 'Wrong username or password.')
    // Gives the browser a new id, never the one it came with: somebody may have planted that one (session
    // fixation), and would be signed in with it. A visitor's cart moves over; another account's does not.
    await request.signIn('session', account)
    return reply.redirect('/', 303)
  })

  // A plain link. The check keeps other sites' links and images, and prefetches, from logging anybody out.
  const logout = { onRequest: app.csrf.logout, exposeHeadRoute: false }
  app.get('/logout', logout, async function logOut(request, reply) {
    // Ends the session on the server: a copy of the cookie is worth nothing from here on.
    await request.signOut('session')
    return reply.redirect('/', 303)
  })
}

export default async function sessionExample(app: FastifyInstance, options: ExampleOptions): Promise<void> {
  // Fields of a form as they came: Fastify's own validator would make text of a list.
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  await app.register(formbody)
  await registerIdentity(app, options)
  addCart(app)
  addLogin(app)
}
