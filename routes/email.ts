import { Type, type TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { CodeRefused } from 'fastify-identity/errors'
import { answer } from './http/answer.js'
import { liveAccount } from './http/live-account.js'
import { noticeByMail } from './http/mail-notice.js'
import { languageOf } from './http/messages.js'
import { guardPeople, guardRecently } from './http/people.js'
import { BODY, UNSAFE } from './openapi/failures.js'
import type { Operation } from './openapi/operation.js'
import { Email } from './openapi/schemas.js'

/** The suite checks the address. This bound only limits the work. */
const NewAddress = Type.Object(
  { email: Type.String({ minLength: 1, maxLength: 256 }) },
  { additionalProperties: false },
)
const Code = Type.Object({ code: Type.String({ pattern: '^[0-9]{8}$' }) }, { additionalProperties: false })

const ASK: Operation = {
  id: 'requestEmail',
  tag: 'Accounts',
  summary: 'Send a code to a new e-mail address',
  description:
    'For a person who has signed in within the last ten minutes. The address counts after POST /email/confirm. The answer comes before the mail is sent. A later request replaces this one. A browser whose sign-in is bound to its device is first redirected to the same address (307), to prove the device again.',
  guarded: 'people',
  isProved: true,
  status: 202,
  authType: 'any',
  says: 'CODE_MAILED',
  bodyExample: { email: 'user1@example.com' },
  refusals: [...UNSAFE, ...BODY, 'SIGN_IN_TOO_OLD', 'EMAIL_INVALID', 'THROTTLED'],
}

const CONFIRM: Operation = {
  id: 'confirmEmail',
  tag: 'Accounts',
  summary: 'Confirm the new e-mail address by its code',
  description: 'Within ten minutes and five tries. No sign-in ends. The previous address gets a notice.',
  guarded: 'people',
  data: Email,
  authType: 'any',
  says: 'EMAIL_CONFIRMED',
  bodyExample: { code: '30718264' },
  refusals: [...UNSAFE, ...BODY, 'CODE_REFUSED', 'THROTTLED'],
}

/** The caller's e-mail address. Left out if this server sends no mails. */
export async function emailRoutes(scope: FastifyInstance): Promise<void> {
  if (!scope.hasAccountMail) return
  const app = scope.withTypeProvider<TypeBoxTypeProvider>()

  app.post(
    '/email',
    { schema: { body: NewAddress }, ...guardRecently(app), config: { operation: ASK } },
    async function requestEmail(request, reply) {
      const { accountId, mode } = request.identity
      await liveAccount(request)
      const ask = () => app.accountMail.requestAddress(accountId, request.body.email, languageOf(request))
      await app.throttle.byAddress(request, 'email', ask, 'all')
      reply.code(202)
      return answer(request, 'CODE_MAILED', { code: 202, auth_type: mode })
    },
  )

  app.post(
    '/email/confirm',
    { schema: { body: Code }, preHandler: guardPeople(app), config: { operation: CONFIRM } },
    async function confirmEmail(request) {
      const { accountId, mode } = request.identity
      await liveAccount(request)
      const { email, previous } = await app.throttle.byAddress(request, 'email_code', async () => {
        const confirmed = await app.accountMail.confirmAddress(accountId, request.body.code)
        if (!confirmed) throw new CodeRefused()
        return confirmed
      })
      const by = { by: 'owner', actorId: accountId } as const
      app.audit.emit({ type: 'account_changed', accountId, changed: 'email', to: null, ...by }, request)
      if (previous !== null && previous !== email) {
        await noticeByMail(request, { accountId, what: 'email_changed', to: previous })
      }
      return answer(request, 'EMAIL_CONFIRMED', { auth_type: mode, data: { email } })
    },
  )
}
