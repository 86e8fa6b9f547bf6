import { type Mode, mode as modeDecoder, pair } from './answers.js'
import { anything, type Decoder, orNull, shape, text } from './decode.js'
import { language } from './language.js'
import { forgetTokens, hold, tokens } from './tokens.js'

/** The failure of a call. `status` 0: there was no answer. */
export interface Failure {
  readonly status: number
  readonly code: string
  readonly msg: string
  readonly reason: string | null
  /** The time of the next try (ms), if the server named one. */
  readonly retryAt: number | null
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

function noAnswer(code: 'NETWORK' | 'TIMEOUT' | 'UNEXPECTED', status = 0) {
  return failed({ status, code, msg: '', reason: null, retryAt: null })
}

function retryAtOf(response: Response): number | null {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return Number.isFinite(seconds) ? Date.now() + seconds * 1000 : null
}

async function send(method: Method, path: string, body: unknown): Promise<Response> {
  const held = tokens()
  const headers = new Headers({ 'accept-language': language() })
  if (held) headers.set('authorization', `Bearer ${held.token}`)
  if (body !== undefined) headers.set('content-type', 'application/json')
  return fetch(path, {
    method,
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    credentials: 'same-origin',
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT),
  })
}

async function callOnce<T>(
  method: Method,
  path: string,
  decode: Decoder<T>,
  body: unknown,
): Promise<Outcome<T>> {
  let response: Response
  try {
    response = await send(method, path, body)
  } catch (error) {
    return noAnswer(error instanceof DOMException && error.name === 'TimeoutError' ? 'TIMEOUT' : 'NETWORK')
  }
  try {
    const { msg, error, reason, data, auth_type } = answer(await response.json())
    if (response.ok) return { ok: true, data: decode(data), mode: auth_type, msg }
    const retryAt = retryAtOf(response)
    return failed({ status: response.status, code: error ?? 'UNEXPECTED', msg, reason, retryAt })
  } catch {
    return noAnswer('UNEXPECTED', response.status)
  }
}

let rotation: Promise<Outcome<unknown>> | null = null

/**
 * Exchanges the token pair. Callers share a running exchange, since a second use of the refresh token would look like
 * theft. A refused pair is forgotten.
 */
export function rotate(): Promise<Outcome<unknown>> {
  rotation ??= rotateNow().finally(() => {
    rotation = null
  })
  return rotation
}

async function rotateNow(): Promise<Outcome<unknown>> {
  const refresh_token = tokens()?.refreshToken
  const outcome = await callOnce('POST', '/refresh_token', pair, { refresh_token })
  if (outcome.ok) hold(outcome.data)
  else if (outcome.failure.code === 'REFRESH_REFUSED') forgetTokens()
  return outcome
}

/** Calls the API. Exchanges an expired access token once, and repeats the call. */
export async function call<T>(
  method: Method,
  path: string,
  decode: Decoder<T>,
  body?: unknown,
): Promise<Outcome<T>> {
  const outcome = await callOnce(method, path, decode, body)
  if (outcome.ok || outcome.failure.code !== 'TOKEN_EXPIRED' || !tokens()) return outcome
  const rotated = await rotate()
  return rotated.ok ? callOnce(method, path, decode, body) : rotated
}
