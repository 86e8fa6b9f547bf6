import { anything, type Decoder, orNull, shape, text } from '../lib/decode.js'
import { language } from '../lib/language.js'

/** A failed call. `code` is empty without an answer of the server. */
export interface Fault {
  readonly code: string
  readonly msg: string
}

export type Answer<T> =
  | { readonly ok: true; readonly data: T }
  | { readonly ok: false; readonly fault: Fault }

/** In ms. A run may wait for a few others. */
const TIMEOUT = 30_000

const envelope = shape({ msg: text, error: orNull(text), data: anything })

function send(path: string, body: unknown): Promise<Response> {
  const headers = new Headers({ 'accept-language': language() })
  if (body !== undefined) headers.set('content-type', 'application/json')
  return fetch(path, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    body: body === undefined ? null : JSON.stringify(body),
    // The experiments know nobody, so no real credential needs to travel.
    credentials: 'omit',
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT),
  })
}

/** Calls the lab's API. Without a body, by GET. */
export async function call<T>(path: string, decode: Decoder<T>, body?: unknown): Promise<Answer<T>> {
  try {
    const response = await send(path, body)
    const { msg, error, data } = envelope(await response.json())
    return response.ok ? { ok: true, data: decode(data) } : { ok: false, fault: { code: error ?? '', msg } }
  } catch {
    return { ok: false, fault: { code: '', msg: '' } }
  }
}
