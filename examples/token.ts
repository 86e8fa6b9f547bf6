import { Type, type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import type { FastifyError, FastifyInstance } from 'fastify'
import fastifyIdentity, { type Clock, developmentSecret, seedDevelopmentAccounts } from 'fastify-identity'
import { CredentialsRefused } from 'fastify-identity/errors'

/*
 * The token mode alone: the client keeps a signed statement of who it is (a JWT), and sends it by itself.
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

/** Bounded, so that nobody has a megabyte hashed. */
const Credentials = Type.Object(
  {
    username: Type.String({ minLength: 1, maxLength: 256 }),
    password: Type.String({ minLength: 1, maxLength: 1024 }),
  },
  { additionalProperties: false },
)

type Failure = FastifyError & { readonly headers?: Record<string, string> }

/** Refusals in the form of the other answers. What a fault of ours says of itself goes to the log alone. */
function answerFailures(app: FastifyInstance): void {
  app.setErrorHandler<Failure>(function answerFailure(failure, request, reply) {
    const { statusCode: code = 500, headers = {} } = failure
    if (code >= 500) request.log.error(failure)
    const [msg, error] =
      code === 500 ? ['Something went wrong.', 'INTERNAL'] : [failure.message, failure.code]
    // The headers are `WWW-Authenticate`, which tells a client how it may authenticate, and `Retry-After`.
    return reply.code(code).headers(headers).send({ code, msg, error })
  })
}

export default async function tokenExample(scope: FastifyInstance, options: ExampleOptions): Promise<void> {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const { env = process.env, clock } = options
  const dataDir = env.DATA_DIR || './data/example-token'
  // Takes a body as it came: Fastify's own validator would make text of a number.
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  answerFailures(scope)

  await app.register(fastifyIdentity, {
    // Tokens are signed with a key made from this. Whoever has it can be anybody, so it is in no source file;
    // on this machine one is made at the first start, and kept, so that a restart signs nobody out.
    secrets: env.AUTH_SECRETS?.split(',') ?? [developmentSecret(dataDir)],
    clock,
    state: { dataDir },
    // Names and password hashes (argon2id) in a file. A hash, so that a copy of the file tells no passwords.
    accounts: { dataDir },
    modes: ['token'],
    // Nobody can refresh here (the user center shows how), so a sign-in ends with its token.
    token: { accessTtl: ONE_HOUR, refreshTtl: ONE_HOUR },
    unauthenticatedStatus: 403,
  })
  // admin / admin123 and user1 / user123, which everybody knows: on your own machine only.
  if (env.NODE_ENV !== 'production') await seedDevelopmentAccounts(app.accounts, app.log)

  app.post('/login_jwt', { schema: { body: Credentials } }, async function loginJwt(request) {
    const account = await app.accountSource.verify(request.body.username, request.body.password)
    // The same answer, after the same time, for a wrong password and for a name that nobody has.
    if (!account) throw new CredentialsRefused()
    const { token, tokenType, expiresIn } = await request.signIn('token', account)
    return {
      code: 200,
      msg: 'You are signed in.',
      data: { token, token_type: tokenType, expires_in: expiresIn },
    }
  })

  // The guard lets in who shows a good token, and says what is wrong with any other: NOT_SIGNED_IN (there is none),
  // TOKEN_EXPIRED (it was good: log in again), TOKEN_INVALID (it never was, or somebody altered it).
  app.get('/get_user_info', { preHandler: app.guard() }, async function getUserInfo(request) {
    const { username, role } = request.identity
    return { code: 200, msg: 'Here is who you are.', data: { username, role } }
  })
}
