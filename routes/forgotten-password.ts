import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { tellOnceStored } from 'fastify-identity/accounts'
import { ResetRefused } from 'fastify-identity/errors'
import { answer } from './http/answer.js'
import { noticeByMail } from './http/mail-notice.js'
import { languageOf } from './http/messages.js'
import { BODY } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'
import { newPassword } from './password.js'

const closed = { additionalProperties: false }
const typed = Type.String({ minLength: 1, maxLength: 256 })
const Forgotten = Type.Union([
  Type.Object({ username: typed }, closed),
  Type.Object({ email: typed }, closed),
])
const Reset = Type.Object(
  { token: Type.String({ minLength: 1, maxLength: 256 }), new_password: newPassword },
  closed,
)

const FORGOT: Operation = {
  id: 'forgotPassword',
  tag: 'Accounts',
  summary: 'Ask for a new password by mail',
  description:
    'Takes exactly one of username and email. The answer is the same for every name and address. An account with a confirmed address gets a mail with a link.',
  status: 202,
  says: 'RESET_MAILED',
  bodyExample: { username: 'user1' },
  refusals: [...BODY, 'HOST_AMBIGUOUS', 'CROSS_SITE', 'THROTTLED', 'STORE_UNAVAILABLE'],
}

const RESET: Operation = {
  id: 'resetPassword',
  tag: 'Accounts',
  summary: 'Set a new password by the token of a mail',
  description:
    'The token works once, for 15 minutes, and until the password or the address changes. Every sign-in of the account ends. Nobody is signed in.',
  says: 'PASSWORD_RESET',
  bodyExample: { token: 'mJ1vXbq3Q0y9Rk2dZs5c7A', new_password: 'three quiet ravens' },
  refusals: [
    ...BODY,
    ...(['HOST_AMBIGUOUS', 'RESET_REFUSED', 'CROSS_SITE', 'PASSWORD_REFUSED'] as const),
    ...(['THROTTLED', 'BUSY', 'STORE_UNAVAILABLE'] as const),
  ],
}

/** @throws RESET_REFUSED, PASSWORD_REFUSED, BUSY */
async function resetPassword(request: FastifyRequest, token: string, replacement: string): Promise<void> {
  const { accountMail, audit, passwordPolicy } = request.server
  const grant = await accountMail.findReset(token)
  if (!grant) throw new ResetRefused()
  const { accountId, username, email } = grant
  await passwordPolicy.check(replacement, username)
  // A second factor of the account is asked for here: the token is not spent yet.
  const by = { by: 'recovery', actorId: null } as const
  const tell = () => {
    audit.emit({ type: 'account_changed', accountId, changed: 'password', to: null, ...by }, request)
  }
  const changed = await tellOnceStored(accountMail.reset(grant, replacement), tell)
  if (!changed) throw new ResetRefused()
  await noticeByMail(request, { accountId, what: 'password_changed', to: email })
}

/** New passwords for people who forgot theirs. Left out if this server sends no mails. */
export async function forgottenPasswordRoutes(scope: FastifyInstance): Promise<void> {
  if (!scope.hasAccountMail) return
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()
  const preHandler = app.csrf.sameOrigin

  app.post(
    '/password/forgot',
    { schema: { body: Forgotten }, preHandler, config: { operation: FORGOT } },
    async function forgotPassword(request, reply) {
      const ask = () => app.accountMail.forget(request.body, languageOf(request))
      await app.throttle.byAddress(request, 'forgot', ask, 'all')
      reply.code(202)
      return answer(request, 'RESET_MAILED', { code: 202 })
    },
  )

  app.post(
    '/password/reset',
    { schema: { body: Reset }, preHandler, config: { operation: RESET } },
    async function resetForgottenPassword(request) {
      const { token, new_password } = request.body
      await app.throttle.byAddress(request, 'reset', () => resetPassword(request, token, new_password))
      return answer(request, 'PASSWORD_RESET')
    },
  )
}
