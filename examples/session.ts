import formbody from '@fastify/formbody'
import { Type, type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import fastifyIdentity, { type Clock, developmentSecret, seedDevelopmentAccounts } from 'fastify-identity'
import { ITEM_MAX, PASSWORD_MAX, sendHome, sendLogin, USERNAME_MAX } from './session-pages.js'

/*
 * The session mode alone: the browser holds a random id, and the server keeps the data.
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

/** Anybody may fill a cart, and the server stores it. It therefore has bounds. */
const CART_MAX = 20

const field = (maxLength: number) => Type.String({ minLength: 1, maxLength })
const CartForm = Type.Object({ item: Type.String({ maxLength: ITEM_MAX, pattern: '\\S' }) })
const LoginForm = Type.Object({ username: field(USERNAME_MAX), password: field(PASSWORD_MAX) })

async function registerIdentity(app: FastifyInstance, { env = process.env, clock }: ExampleOptions) {
  const dataDir = env.DATA_DIR || './data/example-session'
  await app.register(fastifyIdentity, {
    // Keys made from this secret sign the ids and seal the stored data. The first start makes one and keeps it, so
    // that a restart signs nobody out.
    secrets: env.AUTH_SECRETS?.split(',') ?? [developmentSecret(dataDir)],
    clock,
    state: { dataDir },
    // Names and password hashes (argon2id) in a file. A copy of the file therefore reveals no password.
    accounts: { dataDir },
    modes: ['session'],
    // Browsers send Secure cookies only over TLS, and 127.0.0.1 has none.
    secure: env.NODE_ENV === 'production',
  })
  // admin / admin123 and user1 / user123. Everybody knows them: use them only on your own machine.
  if (env.NODE_ENV !== 'production') await seedDevelopmentAccounts(app.accounts, app.log)
}

function addCart(scope: FastifyInstance): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  // The guard recognises the caller. `optional`: visitors are let in too, also with an expired cookie.
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
    // Only now the server stores a session and sets a cookie. Other visitors cost nothing.
    request.session.cart = [...cart, request.body.item]
    // 303: the browser continues with GET, so that a reload sends nothing again.
    return reply.redirect('/', 303)
  })
}

function addLogin(scope: FastifyInstance): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()

  app.get('/login', async function showLogin(_request, reply) {
    return sendLogin(reply)
  })

  // The check stops login CSRF: another site could sign people in to its own account and read later what they did.
  const login = { schema: { body: LoginForm }, onRequest: app.csrf.sameOrigin }
  app.post('/login', login, async function logIn(request, reply) {
    const account = await app.accountSource.verify(request.body.username, request.body.password)
    // A wrong password and an unknown name get the same answer, after the same time.
    if (!account) return sendLogin(reply.code(401), 'Wrong username or password.')
    // Always gives the browser a new id. An attacker may have planted the old one (session fixation), and would then
    // be signed in too. A visitor's cart is kept; another account's cart is not.
    await request.signIn('session', account)
    return reply.redirect('/', 303)
  })

  // A plain link. The check stops links and images of other sites, and prefetches, from signing anybody out.
  const logout = { onRequest: app.csrf.logout, exposeHeadRoute: false }
  app.get('/logout', logout, async function logOut(request, reply) {
    // Ends the session on the server. A copy of the cookie no longer works.
    await request.signOut('session')
    return reply.redirect('/', 303)
  })
}

export default async function sessionExample(app: FastifyInstance, options: ExampleOptions): Promise<void> {
  // Form fields as sent: Fastify's default validator would turn a list into text.
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  await app.register(formbody)
  await registerIdentity(app, options)
  addCart(app)
  addLogin(app)
}
