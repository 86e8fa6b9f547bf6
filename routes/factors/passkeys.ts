import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import { ResetRefused } from 'fastify-identity/errors'
import { type Static, Type } from 'typebox'
import { resetScope } from '../forgotten-password.js'
import { answer } from '../http/answer.js'
import { liveAccount } from '../http/live-account.js'
import { noticeByMail } from '../http/mail-notice.js'
import { guardPeople, guardRecently } from '../http/people.js'
import { PasskeyAdded, PasskeyOptions } from '../openapi/factor-schemas.js'
import { BODY, RECENT, UNSAFE } from '../openapi/failures.js'
import type { Operation } from '../openapi/operation.js'
import { showFactor } from './list.js'
import { checkFactorName, FactorName, passkeyFields } from './proof.js'
import { stepUpScope } from './step-up.js'

export interface PasskeyRoutesOptions {
  /** null: no passkeys. */
  readonly rpId: string | null
}

const closed = { additionalProperties: false }
const Purpose = Type.Union([
  Type.Object({ pending: Type.String({ minLength: 1, maxLength: 1024 }) }, closed),
  Type.Object({ token: Type.String({ minLength: 1, maxLength: 256 }) }, closed),
  Type.Object({}, closed),
])
const NewPasskey = Type.Object({ response: passkeyFields.response, name: FactorName }, closed)

const BEGIN: Operation = {
  id: 'beginPasskey',
  tag: 'Second factors',
  summary: 'Get the options to add a passkey',
  description:
    'For the browser. If the sign-in is bound to its device, the browser is first redirected to the same address (307). There it proves the device again.',
  guarded: 'people',
  isProved: true,
  data: PasskeyOptions,
  says: 'PASSKEY_OPTIONS',
  refusals: [...RECENT, ...BODY],
}

const ADD: Operation = {
  id: 'addPasskey',
  tag: 'Second factors',
  summary: 'Add a passkey with the answer of the browser',
  description:
    'With the first second factor, the account also gets ten recovery codes. No other answer contains them.',
  guarded: 'people',
  isProved: true,
  status: 201,
  data: PasskeyAdded,
  says: 'FACTOR_ADDED',
  bodyExample: { response: { id: 'wGf…', type: 'public-key' }, name: 'Laptop' },
  refusals: [...RECENT, ...BODY, 'FACTOR_REFUSED', 'FACTOR_LIMIT'],
}

const CHALLENGE: Operation = {
  id: 'challengePasskey',
  tag: 'Second factors',
  summary: 'Get the options to use a passkey',
  description:
    'Exactly one of: pending (a login), token (a reset of the password), or a credential (a step-up). The options are valid for this purpose only.',
  guarded: 'people',
  data: PasskeyOptions,
  says: 'PASSKEY_OPTIONS',
  bodyExample: { pending: 'bZk3v9QmX…' },
  refusals: [...UNSAFE, ...BODY, 'FACTOR_REFUSED', 'RESET_REFUSED'],
}

interface Challenging {
  Body: Static<typeof Purpose>
}

/** Only a step-up needs a credential. Every request must come from the same origin. */
function guardStepUp(app: FastifyInstance) {
  const [recognise, admit] = [app.guard(), guardPeople(app)[1]]
  return function guardUnlessNamed(
    request: FastifyRequest<Challenging>,
    reply: FastifyReply,
    done: HookHandlerDoneFunction,
  ) {
    if ('pending' in request.body || 'token' in request.body) app.csrf.sameOrigin(request, reply, done)
    else recognise(request, reply, (error) => (error ? done(error) : admit?.(request, reply, done)))
  }
}

/** @throws RESET_REFUSED */
async function challengeReset(
  request: FastifyRequest,
  token: string,
): Promise<Readonly<Record<string, unknown>>> {
  const { accountMail, factors, hasAccountMail, throttle } = request.server
  const grant = await throttle.byAddress(request, 'reset', async () => {
    const found = hasAccountMail ? await accountMail.findReset(token) : null
    if (!found) throw new ResetRefused()
    return found
  })
  return factors.challenge(resetScope(token, grant.accountId))
}

async function challengePasskey(request: FastifyRequest<Challenging>) {
  const { body, server } = request
  if ('pending' in body) {
    const data = await server.factors.challengePending(request, body.pending)
    return answer(request, 'PASSKEY_OPTIONS', { data })
  }
  if ('token' in body)
    return answer(request, 'PASSKEY_OPTIONS', { data: await challengeReset(request, body.token) })
  const data = await server.factors.challenge(stepUpScope(request.identity))
  return answer(request, 'PASSKEY_OPTIONS', { data })
}

interface Adding {
  Body: Static<typeof NewPasskey>
}

async function beginPasskey(request: FastifyRequest) {
  const account = await liveAccount(request)
  const data = await request.server.factors.beginPasskey(account, request.identity.signInId)
  return answer(request, 'PASSKEY_OPTIONS', { data })
}

async function addPasskey(request: FastifyRequest<Adding>, reply: FastifyReply) {
  const { response, name } = request.body
  checkFactorName(name)
  const account = await liveAccount(request)
  const { recoveryCodes, ...added } = await request.server.factors.addPasskey(
    account,
    request.identity.signInId,
    response,
    name,
    request,
  )
  await noticeByMail(request, { accountId: account.id, what: 'factor_added' })
  const codes = recoveryCodes.length > 0 ? { recovery_codes: recoveryCodes } : {}
  reply.code(201)
  return answer(request, 'FACTOR_ADDED', { code: 201, data: { ...showFactor(added), ...codes } })
}

/** Adds passkeys to the caller's account, and makes the options to use them. No routes without `rpId`. */
export async function passkeyRoutes(app: FastifyInstance, { rpId }: PasskeyRoutesOptions): Promise<void> {
  if (rpId === null) return
  const challenging = {
    schema: { body: Purpose },
    preHandler: guardStepUp(app),
    config: { operation: CHALLENGE },
  }
  const recently = guardRecently(app)
  const adding = { schema: { body: NewPasskey }, ...recently, config: { operation: ADD } }
  app.post('/passkeys/options', { ...recently, config: { operation: BEGIN } }, beginPasskey)
  app.post<Adding>('/passkeys', adding, addPasskey)
  app.post<Challenging>('/passkeys/challenge', challenging, challengePasskey)
}
