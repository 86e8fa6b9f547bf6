import type { Client } from 'fastify-identity/client'
import { type Mode, mode as modeDecoder } from './answers.js'
import { client } from './client.js'
import { anything, type Decoder, orNull, shape, text } from './decode.js'
import { language } from './language.js'
import { dialog } from './later.js'

/** The failure of a call. `status` 0: there was no answer. */
export interface Failure {
  readonly status: number
  readonly code: string
  readonly msg: string
  readonly reason: string | null
  /** The time of the next try (ms), if the server named one. */
  readonly retryAt: number | null
  /** The next step after `SECOND_FACTOR_REQUIRED`. */
  readonly data?: unknown
}

export type Outcome<T> =
  | { readonly ok: true; readonly data: T; readonly mode: Mode | null; readonly msg: string }
  | { readonly ok: false; readonly failure: Failure }

export type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

const TIMEOUT = 15_000

const answer = shape({
  msg: text,
  error: orNull(text),
  reason: orNull(text),
  data: anything,
  auth_type: orNull(modeDecoder),
})

const failed = (failure: Failure): { ok: false; failure: Failure } => ({ ok: false, failure })

/** A failure without an answer, or with one that this page does not understand. */
export function noAnswer(code: 'NETWORK' | 'TIMEOUT' | 'UNEXPECTED', status = 0) {
  return failed({ status, code, msg: '', reason: null, retryAt: null })
}

function retryAtOf(response: Response): number | null {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) ? Date.now() + seconds * 1000 : null
}

function send(method: Method, path: string, body: unknown): Promise<Response> {
  const headers = new Headers({ 'accept-language': language() })
  if (body !== undefined) headers.set('content-type', 'application/json')
  return client().fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    // The server asks for a new proof of the device by a redirect to the same address. The page's policy allows no other server.
    redirect: 'follow',
    signal: AbortSignal.timeout(TIMEOUT),
  })
}

/** The answer, or the failure if there is none. */
export async function answerOf<T>(asking: Promise<T>): Promise<T | { ok: false; failure: Failure }> {
  try {
    return await asking
  } catch (error) {
    return noAnswer(error instanceof DOMException && error.name === 'TimeoutError' ? 'TIMEOUT' : 'NETWORK')
  }
}

/** What an answer says. */
export async function outcomeOf<T>(response: Response, decode: Decoder<T>): Promise<Outcome<T>> {
  try {
    const { msg, error, reason, data, auth_type } = answer(await response.json())
    if (response.ok) return { ok: true, data: decode(data), mode: auth_type, msg }
    const retryAt = retryAtOf(response)
    return failed({ status: response.status, code: error ?? 'UNEXPECTED', msg, reason, retryAt, data })
  } catch {
    return noAnswer('UNEXPECTED', response.status)
  }
}

/** The codes of routes that ask for a recent proof or a second factor. */
const PROVABLE = ['SIGN_IN_TOO_OLD', 'FACTOR_REQUIRED']
/** A route may ask for a password and then for a code. The dialog itself allows several tries for each. */
const MOST_PROOFS = 3

/**
 * Calls the API. The client refreshes an expired access token by itself. If the route asks for a proof, a dialog gets it
 * from the user, and the call is repeated.
 */
export async function call<T>(
  method: Method,
  path: string,
  decode: Decoder<T>,
  body?: unknown,
): Promise<Outcome<T>> {
  for (let proofs = 0; ; proofs += 1) {
    const response = await answerOf(send(method, path, body))
    const outcome = response instanceof Response ? await outcomeOf(response, decode) : response
    if (outcome.ok || !PROVABLE.includes(outcome.failure.code) || proofs === MOST_PROOFS) return outcome
    const isProved = await (await dialog.load())?.askForProof(proofs > 0)
    if (!isProved) return outcome
  }
}

type Signed = Awaited<ReturnType<Client['signIn' | 'signOut' | 'prove']>>

/** The outcome of a sign-in, a sign-out or a proof by the client. */
export async function signed(signing: Promise<Signed>): Promise<Outcome<unknown>> {
  const result = await answerOf(signing)
  if ('failure' in result) return result
  if (result.ok) return { ok: true, data: result.answer.data, mode: null, msg: result.answer.msg }
  const { status, answer, retryAfter } = result
  const retryAt = retryAfter > 0 ? Date.now() + retryAfter * 1000 : null
  const { error: code, msg, reason = null, data } = answer
  return failed({ status, code, msg, reason, retryAt, data })
}
