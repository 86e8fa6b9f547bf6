import type { TSchema } from 'typebox'
import { messageOf } from '../http/messages.js'
import { exampleOf } from './examples.js'
import { type ErrorCode, PROOF, STATUSES } from './failures.js'
import type { Operation } from './operation.js'
import { failure, success } from './schemas.js'

interface Media {
  readonly schema: TSchema
  readonly example?: unknown
  readonly examples?: object
}

interface Response {
  readonly description: string
  readonly headers?: Readonly<Record<string, object>>
  /** Without a body. */
  readonly type?: 'null'
  readonly content?: Readonly<Record<string, Media>>
}

const RETRY_AFTER = { 'Retry-After': { type: 'integer', description: 'Seconds to wait.' } }
const CHALLENGE = { 'WWW-Authenticate': { type: 'string', description: 'RFC 6750 §3, RFC 9449 §7.1.' } }
const NONCE = { 'DPoP-Nonce': { type: 'string', description: 'For the next proof (RFC 9449 §8).' } }

/** The headers of a status. */
function headersOf(status: number, codes: readonly ErrorCode[]): Pick<Response, 'headers'> {
  if (status === 429 || status === 503) return { headers: RETRY_AFTER }
  const challenge = codes.includes('NOT_SIGNED_IN') ? CHALLENGE : {}
  const headers = { ...challenge, ...(codes.includes('PROOF_NONCE_REQUIRED') ? NONCE : {}) }
  return Object.keys(headers).length > 0 ? { headers } : {}
}

/** The answer of a guard with `proof: 'now'`. */
const REDIRECT: Response = {
  type: 'null',
  description: 'For a browser whose sign-in is bound: prove the device, and send the same request again.',
  headers: {
    Location: { type: 'string', description: 'The same address, with device_proof=asked in its query.' },
    'Secure-Session-Challenge': { type: 'string', description: 'The challenge that the browser must sign.' },
  },
}

/** More fields for the examples of some codes. */
const DETAILS: Partial<Record<ErrorCode, object>> = {
  PASSWORD_REFUSED: { reason: 'common' },
  SECOND_FACTOR_REQUIRED: {
    data: { factors: ['totp', 'recovery_code'], pending: 'bZk3v9QmX…', expires_in: 300 },
  },
}

/** One example for each code, by its name. */
function examplesOf(status: number, codes: readonly ErrorCode[]): object {
  return Object.fromEntries(
    codes.map((error) => {
      return [error, { value: { code: status, msg: messageOf(error), error, ...DETAILS[error] } }]
    }),
  )
}

function refusal(status: number, codes: readonly ErrorCode[]): Response {
  return {
    description: codes.join(', '),
    ...headersOf(status, codes),
    content: {
      'application/json': { schema: failure(status, codes), examples: examplesOf(status, codes) },
    },
  }
}

function granted(operation: Operation): Response {
  const { plain, summary } = operation
  const { type, schema } = plain ?? { type: 'application/json', schema: success(operation) }
  return { description: summary, content: { [type]: { schema, example: exampleOf(operation) } } }
}

/** A guard answers to a bad proof as to any bad credential. */
function statusOf(code: ErrorCode, { guarded }: Operation): number {
  return guarded && PROOF.includes(code) ? 403 : STATUSES[code]
}

/** Every answer of an operation, by status: the success, and each refusal code. */
export function responsesOf(operation: Operation): Record<string, Response> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of new Set<ErrorCode>([...operation.refusals, 'INTERNAL', 'STOPPING'])) {
    const status = statusOf(code, operation)
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return {
    [operation.status ?? 200]: granted(operation),
    ...(operation.isProved && { 307: REDIRECT }),
    ...Object.fromEntries([...byStatus].map(([status, codes]) => [status, refusal(status, codes)])),
  }
}
