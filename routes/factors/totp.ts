import type { FastifyInstance, FastifyRequest } from 'fastify'
import qrcode from 'qrcode'
import { type Static, Type } from 'typebox'
import { answer } from '../http/answer.js'
import { liveAccount } from '../http/live-account.js'
import { noticeByMail } from '../http/mail-notice.js'
import { guardRecently } from '../http/people.js'
import { NewTotp, RecoveryCodes } from '../openapi/factor-schemas.js'
import { BODY, RECENT } from '../openapi/failures.js'
import type { Operation } from '../openapi/operation.js'
import { checkFactorName, FactorName } from './proof.js'

/** In code points. The limits only bound the work: the suite refuses a malformed code. */
const Confirmation = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 1024 }),
    code: Type.String({ minLength: 1, maxLength: 256 }),
    name: Type.Optional(FactorName),
  },
  { additionalProperties: false },
)

const BEGIN: Operation = {
  id: 'beginTotp',
  tag: 'Second factors',
  summary: 'Begin to add an authenticator app',
  description:
    'Makes a secret for time-based codes (RFC 6238). The factor exists after POST /factors/totp/confirm. If the sign-in is bound to its device, the browser is first redirected to the same address (307). There it proves the device again.',
  guarded: 'people',
  isProved: true,
  data: NewTotp,
  says: 'TOTP_BEGUN',
  refusals: [...RECENT, ...BODY],
}

const CONFIRM: Operation = {
  id: 'confirmTotp',
  tag: 'Second factors',
  summary: 'Add the authenticator app with one of its codes',
  description:
    'With the first second factor, the account also gets ten recovery codes. No other answer contains them.',
  guarded: 'people',
  isProved: true,
  data: RecoveryCodes,
  says: 'FACTOR_ADDED',
  bodyExample: { id: 'v1.8mZt…', code: '492039', name: 'Phone' },
  refusals: [...RECENT, ...BODY, 'FACTOR_REFUSED', 'FACTOR_LIMIT'],
}

interface Confirming {
  Body: Static<typeof Confirmation>
}

/** A QR code as an image, because the page's policy allows no inline SVG. */
async function qrOf(uri: string): Promise<string> {
  const svg = await qrcode.toString(uri, { type: 'svg', errorCorrectionLevel: 'M' })
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
}

async function beginTotp(request: FastifyRequest) {
  const account = await liveAccount(request)
  const { id, secret, uri } = await request.server.factors.beginTotp(account)
  return answer(request, 'TOTP_BEGUN', { data: { id, secret, uri, qr: await qrOf(uri) } })
}

async function confirmTotp(request: FastifyRequest<Confirming>) {
  const { id, code, name } = request.body
  if (name !== undefined) checkFactorName(name)
  const account = await liveAccount(request)
  const { recoveryCodes } = await request.server.factors.confirmTotp(request, account, id, code, name)
  await noticeByMail(request, { accountId: account.id, what: 'factor_added' })
  return answer(request, 'FACTOR_ADDED', { data: { recovery_codes: recoveryCodes } })
}

/** Adds an authenticator app to the caller's account. */
export async function totpRoutes(app: FastifyInstance): Promise<void> {
  const recently = guardRecently(app)
  const confirming = { schema: { body: Confirmation }, ...recently, config: { operation: CONFIRM } }
  app.post('/factors/totp', { ...recently, config: { operation: BEGIN } }, beginTotp)
  app.post<Confirming>('/factors/totp/confirm', confirming, confirmTotp)
}
