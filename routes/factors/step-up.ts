import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { GivenFactor, Identity } from 'fastify-identity'
import { CredentialsRefused, FactorRefused } from 'fastify-identity/errors'
import type { ChallengeScope } from 'fastify-identity/factors'
import { type Static, Type } from 'typebox'
import { answer } from '../http/answer.js'
import { BodyInvalid } from '../http/errors.js'
import { liveAccount } from '../http/live-account.js'
import { guardPeople } from '../http/people.js'
import { isPair, sendPair } from '../http/tokens.js'
import { SignedInData } from '../openapi/factor-schemas.js'
import { BODY, UNSAFE } from '../openapi/failures.js'
import type { Operation } from '../openapi/operation.js'
import { codeFields, passkeyFields, proofOf } from './proof.js'

const closed = { additionalProperties: false }
const refresh_token = Type.Optional(Type.String({ minLength: 1, maxLength: 4096 }))
/** In code points. */
const password = Type.String({ minLength: 1, maxLength: 1024 })
const StepUp = Type.Union([
  Type.Object({ password, refresh_token }, closed),
  Type.Object({ ...codeFields, refresh_token }, closed),
  Type.Object({ ...passkeyFields, refresh_token }, closed),
])

const STEP_UP: Operation = {
  id: 'stepUp',
  tag: 'Signing in',
  summary: 'Add a factor to your sign-in, or make it recent again',
  description:
    'With the password, a code or a passkey. The sign-in keeps its id and its absolute end. Cookie: the answer sets a new one; the old one does not get the factor. Session: the answer sets a new id; the old one works for ten more seconds without the new factor. Token: send the refresh token in the body or in the refresh cookie; the answer has a new pair.',
  guarded: 'people',
  authType: 'any',
  data: SignedInData,
  says: 'STEPPED_UP',
  bodyExample: { factor: 'totp', code: '492039' },
  refusals: [
    ...UNSAFE,
    ...BODY,
    ...(['CREDENTIALS_REFUSED', 'FACTOR_REFUSED', 'REFRESH_REFUSED', 'BUSY'] as const),
  ],
}

/** A challenge for a step-up is valid for this sign-in only. */
export function stepUpScope({ accountId, signInId }: Identity): ChallengeScope {
  return { purpose: 'step_up', subject: signInId, accountId }
}

interface SteppingUp {
  Body: Static<typeof StepUp>
}

/**
 * The refresh token that token mode rotates, from the body or the cookie.
 * @throws BODY_INVALID in token mode, unless exactly one of the two is there; in another mode, if the body has one
 */
function presentedRefresh(
  request: FastifyRequest<SteppingUp>,
): { token: string; isInCookie: boolean } | null {
  const { refresh_token } = request.body
  if (request.identity.mode !== 'token') {
    if (refresh_token !== undefined) throw new BodyInvalid()
    return null
  }
  const inCookie = request.server.refreshCookie.read(request)
  if ((refresh_token === undefined) === (inCookie === null)) throw new BodyInvalid()
  return { token: refresh_token ?? inCookie ?? '', isInCookie: inCookie !== null }
}

/** @throws CREDENTIALS_REFUSED, THROTTLED, BUSY */
async function givePassword(request: FastifyRequest, password: string): Promise<'password'> {
  const { identity, server } = request
  const { accountId, username, signInId, mode } = identity
  const verify = () => server.accountSource.verify(username, password)
  const account = await server.throttle.guess(request, identity, verify)
  if (account?.id === accountId) return 'password'
  server.audit.emit({ type: 'password_refused', accountId, signInId, mode }, request)
  throw new CredentialsRefused()
}

/** @throws FACTOR_REFUSED, THROTTLED */
async function giveFactor(
  request: FastifyRequest,
  given: Parameters<typeof proofOf>[0],
): Promise<GivenFactor> {
  const { identity, server } = request
  const owner = { id: identity.accountId, username: identity.username }
  const verified = await server.factors.verify(request, owner, proofOf(given), stepUpScope(identity))
  if (!verified) throw new FactorRefused()
  return verified.given
}

async function stepUp(request: FastifyRequest<SteppingUp>, reply: FastifyReply) {
  const { body, identity } = request
  const refresh = presentedRefresh(request)
  await liveAccount(request)
  const given =
    'password' in body ? await givePassword(request, body.password) : await giveFactor(request, body)
  const issued = await request.stepUp([given], { refreshToken: refresh?.token ?? null })
  const data = isPair(issued)
    ? await sendPair(request, reply, issued, refresh?.isInCookie === true)
    : undefined
  return answer(request, 'STEPPED_UP', { auth_type: identity.mode, data })
}

/** Adds a factor to the caller's own sign-in. */
export async function stepUpRoute(app: FastifyInstance): Promise<void> {
  const stepping = { schema: { body: StepUp }, preHandler: guardPeople(app), config: { operation: STEP_UP } }
  app.post<SteppingUp>('/step_up', stepping, stepUp)
}
