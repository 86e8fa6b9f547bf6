import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { canonicalUsername } from 'fastify-identity/accounts'
import { type Static, Type } from 'typebox'
import { answer, forgetOwn } from '../http/answer.js'
import { NotFound } from '../http/errors.js'
import { liveAccount } from '../http/live-account.js'
import { noticeByMail } from '../http/mail-notice.js'
import { guardPeople } from '../http/people.js'
import { FactorsReset } from '../openapi/factor-schemas.js'
import { RECENT } from '../openapi/failures.js'
import type { Operation } from '../openapi/operation.js'
import { endAllOf } from '../sign-ins.js'

const NameParams = Type.Object({ username: Type.String({ minLength: 1, maxLength: 256 }) })

const RESET: Operation = {
  id: 'resetFactors',
  tag: 'Accounts',
  summary: 'Remove all second factors of an account (administrators)',
  description:
    'Ends every sign-in of the account. Its owner gets a mail. For your own account, you need a recent sign-in.',
  guarded: 'people',
  isProved: true,
  data: FactorsReset,
  says: 'FACTORS_RESET',
  refusals: [...RECENT, 'ROLE_REQUIRED', 'BODY_INVALID', 'NOT_FOUND'],
}

interface Resetting {
  Params: Static<typeof NameParams>
}

/** Administrators who remove their own factors need a recent sign-in, as everybody does. */
function guardOwn(app: FastifyInstance) {
  const recently = app.guard({ fresh: true })
  return function requireRecentForOwn(
    request: FastifyRequest<Resetting>,
    reply: FastifyReply,
    done: HookHandlerDoneFunction,
  ) {
    const { params, identity } = request
    const isOwn = canonicalUsername(params.username) === canonicalUsername(identity.username)
    if (isOwn) recently(request, reply, done)
    else done()
  }
}

async function resetFactors(request: FastifyRequest<Resetting>, reply: FastifyReply) {
  const { accounts, factors } = request.server
  const { id: actorId } = await liveAccount(request)
  const account = await accounts.findByUsername(request.params.username)
  if (!account) throw new NotFound()
  let [removed, ended] = [0, 0]
  do {
    removed += await factors.reset(account.id, actorId, request)
    // Ends the sign-ins after the removal, so that no sign-in that begins in between survives.
    ended += await endAllOf(request, account.id)
    // One of these sign-ins may have added another factor before it ended.
  } while ((await factors.list(account.id)).length > 0)
  await noticeByMail(request, { accountId: account.id, what: 'factors_reset' })
  if (account.id === actorId) forgetOwn(request, reply)
  return answer(request, 'FACTORS_RESET', { data: { removed, ended } })
}

/** Lets administrators help people who have lost all their factors. */
export async function accountFactorRoute(app: FastifyInstance): Promise<void> {
  const proof = app.hasDecorator('deviceBinding') ? ({ proof: 'now' } as const) : {}
  const onRequest = [...guardPeople(app, { role: 'admin', ...proof }), guardOwn(app)]
  const resetting = { schema: { params: NameParams }, onRequest, config: { operation: RESET } }
  app.delete<Resetting>('/accounts/:username/factors', resetting, resetFactors)
}
