import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { CredentialsRefused, PasswordRefused } from '../plugins/lib/errors.js'
import { passwordFault } from '../plugins/lib/passwords.js'
import { answer } from './answer.js'

/** In code points. How long the new one may be is said by name (`PASSWORD_REFUSED`), up to a bound. */
const PasswordChange = Type.Object(
  {
    current_password: Type.String({ minLength: 1, maxLength: 1024 }),
    new_password: Type.String({ maxLength: 4096 }),
  },
  { additionalProperties: false },
)

/**
 * A new password for the caller, who stays signed in here and nowhere else. Not there where the application
 * brought its own accounts: then it is not ours to change.
 */
export async function passwordRoutes(scope: FastifyInstance): Promise<void> {
  if (!scope.hasOwnAccounts) return
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()

  app.post(
    '/password',
    { schema: { body: PasswordChange }, preHandler: app.guard() },
    async function changePassword(request) {
      const { current_password, new_password } = request.body
      const { accountId, signInId, mode } = request.identity
      const fault = passwordFault(new_password)
      if (fault) throw new PasswordRefused(fault)
      const changed = await app.accounts.changePassword(accountId, current_password, new_password, signInId)
      if (!changed) {
        app.audit.emit({ type: 'password_refused', accountId, signInId, mode }, request)
        throw new CredentialsRefused()
      }
      const by = { by: 'owner', actorId: accountId } as const
      app.audit.emit({ type: 'account_changed', accountId, changed: 'password', to: null, ...by }, request)
      return answer(request, 'PASSWORD_CHANGED', { auth_type: mode })
    },
  )
}
