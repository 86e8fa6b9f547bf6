import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { tellOnceStored } from 'fastify-identity/accounts'
import { CredentialsRefused } from 'fastify-identity/errors'
import { answer } from './http/answer.js'
import { noticeByMail } from './http/mail-notice.js'
import { guardPeople } from './http/people.js'
import { BODY, UNSAFE } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'

/**
 * A new password, in code points. The password policy checks the length (`PASSWORD_REFUSED`). This bound only limits
 * the work. Malformed text is refused: two such passwords could have the same hash.
 */
export const newPassword = Type.String({ maxLength: 4096, pattern: '^\\P{Surrogate}*$' })

/** In code points. */
const PasswordChange = Type.Object(
  {
    current_password: Type.String({ minLength: 1, maxLength: 1024 }),
    new_password: newPassword,
  },
  { additionalProperties: false },
)

const CHANGE: Operation = {
  id: 'changePassword',
  tag: 'Accounts',
  summary: 'Change your own password',
  description: 'Ends all your other sign-ins.',
  guarded: 'people',
  authType: 'any',
  says: 'PASSWORD_CHANGED',
  bodyExample: { current_password: 'user123', new_password: 'three quiet ravens' },
  refusals: [...UNSAFE, ...BODY, 'CREDENTIALS_REFUSED', 'PASSWORD_REFUSED', 'THROTTLED', 'BUSY'],
}

/**
 * Changes the caller's password and ends all other sign-ins. Left out if the application has its own accounts.
 */
export async function passwordRoutes(scope: FastifyInstance): Promise<void> {
  if (!scope.hasOwnAccounts) return
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()

  app.post(
    '/password',
    { schema: { body: PasswordChange }, preHandler: guardPeople(app), config: { operation: CHANGE } },
    async function changePassword(request) {
      const { current_password, new_password } = request.body
      const { accountId, username, signInId, mode } = request.identity
      await app.passwordPolicy.check(new_password, username)
      const tell = () => {
        const by = { by: 'owner', actorId: accountId } as const
        app.audit.emit({ type: 'account_changed', accountId, changed: 'password', to: null, ...by }, request)
      }
      const changed = await app.throttle.guess(request, request.identity, () => {
        const changing = app.accounts.changePassword(accountId, current_password, new_password, signInId)
        return tellOnceStored(changing, tell)
      })
      if (!changed) {
        app.audit.emit({ type: 'password_refused', accountId, signInId, mode }, request)
        throw new CredentialsRefused()
      }
      await noticeByMail(request, { accountId, what: 'password_changed' })
      return answer(request, 'PASSWORD_CHANGED', { auth_type: mode })
    },
  )
}
