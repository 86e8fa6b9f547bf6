import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { FinishedSignIn } from 'fastify-identity/factors'
import { type Static, Type } from 'typebox'
import { answer } from '../http/answer.js'
import { noticeNewDevice } from '../http/new-device.js'
import { isPair, isRefreshInCookie, sendPair } from '../http/tokens.js'
import { PasskeySignIn, SignedInData } from '../openapi/factor-schemas.js'
import { BODY } from '../openapi/failures.js'
import type { Operation } from '../openapi/operation.js'
import { fewCodesLeft } from './list.js'
import type { PasskeyRoutesOptions } from './passkeys.js'
import { codeFields, passkeyFields, proofOf } from './proof.js'

const closed = { additionalProperties: false }
const pending = Type.String({ minLength: 1, maxLength: 1024 })
const LoginFactor = Type.Union([
  Type.Object({ pending, ...codeFields }, closed),
  Type.Object({ pending, ...passkeyFields }, closed),
])
const LoginPasskey = Type.Object(
  {
    pending,
    response: passkeyFields.response,
    mode: Type.Enum(['token', 'session', 'cookie']),
    remember: Type.Optional(Type.Boolean()),
    refresh_cookie: Type.Optional(Type.Boolean()),
  },
  closed,
)

const REFUSALS = [
  ...BODY,
  ...(['HOST_AMBIGUOUS', 'FACTOR_REFUSED', 'PROOF_INVALID', 'PROOF_NONCE_REQUIRED'] as const),
  ...(['CROSS_SITE', 'THROTTLED', 'STORE_UNAVAILABLE'] as const),
]

const BY_FACTOR: Operation = {
  id: 'loginByFactor',
  tag: 'Signing in',
  summary: 'Finish a login by the second factor',
  description:
    'Within five minutes and five tries after the login. The answer is the same as that of a login without a second factor. Cookie and session mode need the cookie pending of that login.',
  authType: 'any',
  data: SignedInData,
  says: 'SIGNED_IN',
  bodyExample: { pending: 'Zk3v9QmX…', factor: 'totp', code: '492039' },
  refusals: REFUSALS,
}

const PASSKEY_OPTIONS: Operation = {
  id: 'beginPasskeyLogin',
  tag: 'Signing in',
  summary: 'Get the options of a login by passkey',
  description: 'For anybody. Sets the cookie pending.',
  data: PasskeySignIn,
  says: 'PASSKEY_OPTIONS',
  refusals: [...BODY, 'HOST_AMBIGUOUS', 'CROSS_SITE', 'STORE_UNAVAILABLE'],
}

const BY_PASSKEY: Operation = {
  id: 'loginByPasskey',
  tag: 'Signing in',
  summary: 'Sign in by a passkey alone',
  description:
    'It counts as two factors. Cookie and session mode need the cookie pending of the options. In token mode, refresh_cookie puts the refresh token into a cookie.',
  authType: 'any',
  data: SignedInData,
  says: 'SIGNED_IN',
  bodyExample: { pending: 'v1.Zk3v9QmX…', response: { id: 'wGf…', type: 'public-key' }, mode: 'cookie' },
  refusals: REFUSALS,
}

interface ByFactor {
  Body: Static<typeof LoginFactor>
}
interface ByPasskey {
  Body: Static<typeof LoginPasskey>
}

/** The number of recovery codes left, if it is small. If the lookup fails, the login still succeeds. */
async function codesLeft({ server, log }: FastifyRequest, accountId: string): Promise<number | undefined> {
  try {
    return fewCodesLeft(await server.factors.list(accountId))
  } catch (err) {
    log.error({ err }, 'the recovery codes could not be counted')
    return undefined
  }
}

type SignedIn = Pick<FinishedSignIn, 'mode' | 'issued' | 'account' | 'username'>

/** The answer of both logins. Also tells the owner of a new device. */
async function answerSignedIn(
  request: FastifyRequest,
  reply: FastifyReply,
  { mode, issued, account, username }: SignedIn,
  inCookie: boolean,
) {
  await noticeNewDevice(request, username)
  const left = await codesLeft(request, account.id)
  // In the other modes, a cookie carries the credential.
  const pair = isPair(issued) ? await sendPair(request, reply, issued, inCookie) : undefined
  const data = left === undefined ? pair : { ...pair, recovery_codes_left: left }
  return answer(request, 'SIGNED_IN', { auth_type: mode, data })
}

async function loginByFactor(request: FastifyRequest<ByFactor>, reply: FastifyReply) {
  const { pending, ...given } = request.body
  const finished = await request.server.factors.finishSignIn(request, pending, proofOf(given))
  return answerSignedIn(request, reply, finished, isRefreshInCookie(finished.memo))
}

async function beginPasskeyLogin(request: FastifyRequest) {
  const data = await request.server.factors.beginPasskeySignIn(request)
  return answer(request, 'PASSKEY_OPTIONS', { data })
}

async function loginByPasskey(request: FastifyRequest<ByPasskey>, reply: FastifyReply) {
  const { mode, refresh_cookie = false, ...given } = request.body
  const { issued, account } = await request.server.factors.passkeySignIn(request, mode, given)
  const signedIn = { mode, issued, account, username: account.username }
  return answerSignedIn(request, reply, signedIn, refresh_cookie)
}

/** Logins by a second factor, and by a passkey alone. */
export async function factorLoginRoutes(app: FastifyInstance, { rpId }: PasskeyRoutesOptions): Promise<void> {
  const preHandler = app.csrf.sameOrigin
  const byFactor = { schema: { body: LoginFactor }, preHandler, config: { operation: BY_FACTOR } }
  const byPasskey = { schema: { body: LoginPasskey }, preHandler, config: { operation: BY_PASSKEY } }
  const options = { preHandler, config: { operation: PASSKEY_OPTIONS } }
  app.post<ByFactor>('/login_factor', byFactor, loginByFactor)
  if (rpId === null) return
  app.post('/login_passkey/options', options, beginPasskeyLogin)
  app.post<ByPasskey>('/login_passkey', byPasskey, loginByPasskey)
}
