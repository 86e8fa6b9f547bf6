import { Type, type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { FastifyError, FastifyInstance } from 'fastify'
import fastifyIdentity, { type Clock, developmentSecret, seedDevelopmentAccounts } from 'fastify-identity'
import { CredentialsRefused } from 'fastify-identity/errors'

/*
 * The token mode alone: the client keeps a signed statement of its identity (a JWT), and sends it itself.
 *
 *   npm run example:token
 *   curl http://127.0.0.1:3000/login_jwt --json '{"username":"user1","password":"user123"}'
 *   curl http://127.0.0.1:3000/get_user_info -H 'Authorization: Bearer <data.token>'
 */

export interface ExampleOptions {
  /** `AUTH_SECRETS` and `DATA_DIR`. Defaults to `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds since 1970. Tests move it. */
  readonly clock?: Clock
}

/** In seconds. */
const ONE_HOUR = 3600

/** Bounded, so that nobody can make the server hash a megabyte. */
const Credentials = Type.Object(
  {
    username: Type.String({ minLength: 1, maxLength: 256 }),
    password: Type.String({ minLength: 1, maxLength: 1024 }),
  },
  { additionalProperties: false },
)

type Failure = FastifyError & { readonly headers?: Record<string, string> }

/** Sends refusals in the form of the other answers. Details of internal errors go only to the log. */
function answerFailures(app: FastifyInstance): void {
  app.setErrorHandler<Failure>(function answerFailure(failure, request, reply) {
    const { statusCode: code = 500, headers = {} } = failure
    if (code >= 500) request.log.error(failure)
    const [msg, error] =
      code === 500 ? ['Something went wrong.', 'INTERNAL'] : [failure.message, failure.code]
    // The headers are `WWW-Authenticate`, which tells a client how to authenticate, and `Retry-After`.
    return reply.code(code).headers(headers).send({ code, msg, error })
  })
}

export default async function tokenExample(scope: FastifyInstance, options: ExampleOptions): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const { env = process.env, clock } = options
  const dataDir = env.DATA_DIR || './data/example-token'
  // Takes the body as sent: Fastify's default validator would turn a number into text.
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  answerFailures(scope)

  await app.register(fastifyIdentity, {
    // Tokens are signed with a key made from this secret. Anybody who has it can sign in as anybody, so it must not be
    // in a source file. The first start makes one and keeps it, so that a restart signs nobody out.
    secrets: env.AUTH_SECRETS?.split(',') ?? [developmentSecret(dataDir)],
    clock,
    state: { dataDir },
    // Names and password hashes (argon2id) in a file. A copy of the file therefore reveals no password.
    accounts: { dataDir },
    modes: ['token'],
    // This example has no refresh (the user center has), so a sign-in ends with its token.
    token: { accessTtl: ONE_HOUR, refreshTtl: ONE_HOUR },
    unauthenticatedStatus: 403,
  })
  // admin / admin123 and user1 / user123. Everybody knows them: use them only on your own machine.
  if (env.NODE_ENV !== 'production') await seedDevelopmentAccounts(app.accounts, app.log)

  app.post('/login_jwt', { schema: { body: Credentials } }, async function loginJwt(request) {
    const account = await app.accountSource.verify(request.body.username, request.body.password)
    // A wrong password and an unknown name get the same answer, after the same time.
    if (!account) throw new CredentialsRefused()
    const { token, tokenType, expiresIn } = await request.signIn('token', account)
    return {
      code: 200,
      msg: 'You are signed in.',
      data: { token, token_type: tokenType, expires_in: expiresIn },
    }
  })

  // The guard admits a caller with a valid token. Otherwise it refuses: NOT_SIGNED_IN (no token), TOKEN_EXPIRED (log
  // in again), TOKEN_INVALID (not ours, or altered).
  app.get('/get_user_info', { preHandler: app.guard() }, async function getUserInfo(request) {
    const { username, role } = request.identity
    return { code: 200, msg: 'Here is who you are.', data: { username, role } }
  })
}
