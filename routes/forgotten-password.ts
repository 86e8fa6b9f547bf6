import { createHash } from 'node:crypto'
import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type ResetGrant, tellOnceStored } from 'fastify-identity/accounts'
import { FactorRefused, ResetRefused, SecondFactorRequired } from 'fastify-identity/errors'
import type { ChallengeScope, FactorKind } from 'fastify-identity/factors'
import type { Static } from 'typebox'
import { codeFields, passkeyFields, proofOf } from './factors/proof.js'
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
const resetFields = { token: Type.String({ minLength: 1, maxLength: 256 }), new_password: newPassword }
const Reset = Type.Union([
  Type.Object(resetFields, closed),
  Type.Object({ ...resetFields, ...codeFields }, closed),
  Type.Object({ ...resetFields, ...passkeyFields }, closed),
])

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
    'The token works once, for 15 minutes, and until the password or the address changes. If the account has a second factor, the server asks for it (SECOND_FACTOR_REQUIRED). This does not spend the token. Every sign-in of the account ends. Nobody is signed in.',
  says: 'PASSWORD_RESET',
  bodyExample: { token: 'mJ1vXbq3Q0y9Rk2dZs5c7A', new_password: 'three quiet ravens' },
  refusals: [
    ...BODY,
    ...(['SECOND_FACTOR_REQUIRED', 'FACTOR_REFUSED'] as const),
    ...(['HOST_AMBIGUOUS', 'RESET_REFUSED', 'CROSS_SITE', 'PASSWORD_REFUSED'] as const),
    ...(['THROTTLED', 'BUSY', 'STORE_UNAVAILABLE'] as const),
  ],
}

type Body = Static<typeof Reset>

/** A challenge for a reset is valid for this token only. It must not contain the token. */
export function resetScope(token: string, accountId: string): ChallengeScope {
  const subject = createHash('sha256').update(token).digest('base64url')
  return { purpose: 'reset', subject, accountId }
}

/**
 * Asks for the second factor, so that reading the owner's mail is not enough for a reset.
 * @returns the factors to ask for; null if one was given, or the account has none
 * @throws FACTOR_REFUSED, THROTTLED
 */
async function askFactor(
  request: FastifyRequest,
  { accountId: id, username }: ResetGrant,
  body: Body,
): Promise<readonly FactorKind[] | null> {
  const { factors } = request.server
  const kinds = await factors.kinds(id)
  if (kinds.length === 0) return null
  if (!('factor' in body)) return kinds
  const scope = resetScope(body.token, id)
  if (!(await factors.verify(request, { id, username }, proofOf(body), scope))) throw new FactorRefused()
  return null
}

/**
 * @returns the factors to ask for first; null if the password is changed
 * @throws RESET_REFUSED, PASSWORD_REFUSED, FACTOR_REFUSED, THROTTLED, BUSY
 */
async function resetPassword(request: FastifyRequest, body: Body): Promise<readonly FactorKind[] | null> {
  const { accountMail, audit, passwordPolicy } = request.server
  const grant = await accountMail.findReset(body.token)
  if (!grant) throw new ResetRefused()
  const { accountId, username, email } = grant
  await passwordPolicy.check(body.new_password, username)
  const asked = await askFactor(request, grant, body)
  if (asked) return asked
  const by = { by: 'recovery', actorId: null } as const
  const tell = () => {
    audit.emit({ type: 'account_changed', accountId, changed: 'password', to: null, ...by }, request)
  }
  const changed = await tellOnceStored(accountMail.reset(grant, body.new_password), tell)
  if (!changed) throw new ResetRefused()
  await noticeByMail(request, { accountId, what: 'password_changed', to: email })
  return null
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
      const ask = () => app.accountMail.requestReset(request.body, languageOf(request))
      await app.throttle.byAddress(request, 'forgot', ask, 'all')
      reply.code(202)
      return answer(request, 'RESET_MAILED', { code: 202 })
    },
  )

  app.post(
    '/password/reset',
    { schema: { body: Reset }, preHandler, config: { operation: RESET } },
    async function resetForgottenPassword(request) {
      const asked = await app.throttle.byAddress(request, 'reset', () => resetPassword(request, request.body))
      // Outside the count, because asking for the factor is no failed attempt.
      if (asked) throw new SecondFactorRequired({ factors: asked })
      return answer(request, 'PASSWORD_RESET')
    },
  )
}
