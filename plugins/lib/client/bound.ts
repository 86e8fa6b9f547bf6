import type { Environment } from './environment.js'
import { keyOf, type ProofKey } from './proof-key.js'

/*
 * Binds the tokens to a key of this browser (DPoP, RFC 9449), so that copies of them are worth nothing. Loaded only for
 * clients with `bound: true`.
 */

type Input = URL | Request
type Init = NonNullable<Parameters<typeof fetch>[1]> & { readonly token?: string | undefined }

/** What a client remembers. */
interface State {
  readonly key: Promise<ProofKey>
  /** The newest nonce of the server. */
  nonce?: string | null
}

type Fetch = Environment['fetch']

/** By the `fetch` of the client. On a server, each person's client has its own key. */
const states = new WeakMap<Fetch, State>()

const encode = (data: string | ArrayBuffer): string =>
  btoa(
    String.fromCharCode(
      ...(typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data)),
    ),
  ).replace(/[+/=]/g, (sign) => ({ '+': '-', '/': '_' })[sign] ?? '')

/** RFC 9449 §4.2. The server does not compare `iat`, so this clock may be wrong. */
async function makeProof(
  { privateKey, jwk }: ProofKey,
  htm: string,
  url: URL,
  nonce: unknown,
  token?: string,
) {
  const ath = token && encode(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)))
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk }
  const iat = Math.floor(Date.now() / 1000)
  const payload = { jti: crypto.randomUUID(), htm, htu: url.origin + url.pathname, iat, nonce, ath }
  const text = [header, payload].map((part) => encode(JSON.stringify(part))).join('.')
  const algorithm = { name: 'ECDSA', hash: 'SHA-256' }
  return `${text}.${encode(await crypto.subtle.sign(algorithm, privateKey, new TextEncoder().encode(text)))}`
}

/** Only these requests get tokens. */
const ISSUES = /\/(login_(token|factor|passkey)|refresh_token|step_up)$/

function stateOf(fetch: Fetch, base: URL): State {
  const known = states.get(fetch) ?? { key: keyOf(String(base)) }
  states.set(fetch, known)
  // Another request may find the database open again.
  known.key.catch(() => states.delete(fetch))
  return known
}

async function sendOnce(fetch: Fetch, base: URL, input: Input, { token, ...init }: Init): Promise<Response> {
  const url = new URL(input instanceof Request ? input.url : input)
  const isOurs = url.origin === base.origin && (token || ISSUES.test(url.pathname))
  if (!isOurs) return fetch(input, init)
  const state = stateOf(fetch, base)
  const method = (init.method ?? (input instanceof Request ? input.method : 'GET')).toUpperCase()
  const headers = new Headers(init.headers)
  if (token) headers.set('authorization', `DPoP ${token}`)
  headers.set('dpop', await makeProof(await state.key, method, url, state.nonce ?? undefined, token))
  const answer = await fetch(input, { ...init, headers })
  state.nonce = answer.headers.get('dpop-nonce') ?? state.nonce
  return answer
}

/** Shares no import with the rest of the client, because bundlers would put shared code into a third file. */
const errorOf = (answer: Response): Promise<unknown> =>
  answer
    .clone()
    .json()
    .then(
      (body) => Object(body).error,
      () => null,
    )

/**
 * Works like `fetch`, with a proof if the request is ours. Sends it once more if the server asks for its newest nonce.
 * @throws what `fetch` throws, and DOMException if the browser stores no key
 */
export async function send(fetch: Fetch, base: URL, input: Input, init: Init): Promise<Response> {
  const spare = input instanceof Request ? input.clone() : input
  const first = await sendOnce(fetch, base, input, init)
  const isAsked = first.headers.has('dpop-nonce') && /40[013]/.test(`${first.status}`)
  const error = isAsked ? await errorOf(first) : null
  const canRepeat = !(Symbol.asyncIterator in Object(init.body))
  return error === 'PROOF_NONCE_REQUIRED' && canRepeat ? sendOnce(fetch, base, spare, init) : first
}
