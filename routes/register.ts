import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { canonicalUsername } from 'fastify-identity/accounts'
import { RegistrationClosed, UsernameInvalid } from 'fastify-identity/errors'
import { answer } from './http/answer.js'
import { BODY } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'
import { Registered } from './openapi/schemas.js'
import { newPassword } from './password.js'

/** No other fields are allowed: a caller who could choose a role could make administrators. */
const Registration = Type.Object(
  { username: Type.String({ minLength: 1, maxLength: 256 }), password: newPassword },
  { additionalProperties: false },
)

export interface RegistrationOptions {
  /** Whether anybody may register an account. */
  readonly registrationOpen: boolean
}

function refuseRegistration(
  _request: FastifyRequest,
  _reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  done(new RegistrationClosed())
}

const REGISTER: Operation = {
  id: 'register',
  tag: 'Accounts',
  summary: 'Make an account',
  description:
    'Only if REGISTRATION is open. It signs nobody in. A password has at least 8 characters, is not a common one, and does not contain the username.',
  status: 201,
  data: Registered,
  says: 'REGISTERED',
  bodyExample: { username: 'Zoë', password: 'three quiet ravens' },
  refusals: [
    ...BODY,
    ...(['USERNAME_INVALID', 'CROSS_SITE', 'REGISTRATION_CLOSED', 'USERNAME_TAKEN'] as const),
    ...(['PASSWORD_REFUSED', 'THROTTLED', 'BUSY', 'STORE_UNAVAILABLE'] as const),
  ],
}

/**
 * Makes an account for any caller. It signs nobody in. Left out if the application has its own accounts.
 */
export async function registrationRoutes(
  scope: FastifyInstance,
  { registrationOpen }: RegistrationOptions,
): Promise<void> {
  if (!scope.hasOwnAccounts) return
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const preHandler = registrationOpen ? [app.csrf.sameOrigin] : [app.csrf.sameOrigin, refuseRegistration]

  app.post(
    '/register',
    { schema: { body: Registration }, preHandler, config: { operation: REGISTER } },
    async function register(request, reply) {
      const { username, password } = request.body
      if (canonicalUsername(username) === null) throw new UsernameInvalid()
      await app.passwordPolicy.check(password, username)
      // Every attempt counts. This slows down mass registration, and probing for taken names.
      const create = () => app.accounts.create({ username, password, role: 'user' })
      const { id: accountId, role } = await app.throttle.byAddress(request, 'register', create, 'all')
      const by = { by: 'registration', actorId: null } as const
      app.audit.emit({ type: 'account_created', accountId, role, ...by }, request)
      reply.code(201)
      return answer(request, 'REGISTERED', { code: 201, data: { username, role } })
    },
  )
}
