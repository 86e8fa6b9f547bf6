import type { CookieNames } from '../../config/cookie-names.js'

/** A credential that was found in the pasted text. */
export interface Pasted {
  /** The mode whose cookie's name preceded it, or null. */
  readonly cookie: 'cookie' | 'session' | null
  /** The scheme that preceded it, or null. */
  readonly scheme: 'bearer' | 'dpop' | null
  /** The proof of the device in the same text, for a cookie. Null without one. */
  readonly proof: string | null
  readonly text: string
}

const TOKEN = /\b(Bearer|DPoP) +(\S+)/i

/** Escapes a name for a regular expression. */
const literally = (name: string) => name.replace(/[$*+.^|]/g, '\\$&')

/** A text without a name. The key that verifies it tells what it is. */
const alone = (text: string): Pasted => ({ cookie: null, scheme: null, proof: null, text })

/** Gives each cookie the proof of its mode. Proofs without any cookie are credentials of their own. */
function pairUp(cookies: readonly (readonly [mode: 'cookie' | 'session', isProof: boolean, text: string])[]) {
  const proofOf = (wanted: string) =>
    cookies.find(([mode, isProof]) => isProof && mode === wanted)?.[2] ?? null
  const own = cookies.filter(([, isProof]) => !isProof)
  if (own.length === 0) return cookies.map(([, , text]) => alone(text))
  return own.map(([cookie, , text]): Pasted => ({ cookie, scheme: null, proof: proofOf(cookie), text }))
}

/**
 * Finds the credentials in a `Cookie`, `Set-Cookie` or `Authorization` header as browser tools copy it. Without a
 * header the whole text is the credential.
 * @param names of the server's cookies
 */
export function credentialsIn(text: string, { cookieName, sessionName }: CookieNames): readonly Pasted[] {
  const either = [cookieName, sessionName].map(literally).join('|')
  const pairs = new RegExp(`(?:^|[;,\\s])(?:__Host-)?(${either})(_proof)?=([^;,\\s]+)`, 'g')
  const cookies = [...text.matchAll(pairs)].map(
    ([, name, proof, value = '']) =>
      [name === cookieName ? 'cookie' : 'session', proof !== undefined, value] as const,
  )
  if (cookies.length > 0) return pairUp(cookies)
  const [, name, token] = TOKEN.exec(text) ?? []
  if (!name || !token) return [alone(text.trim())]
  return [{ ...alone(token), scheme: /dpop/i.test(name) ? 'dpop' : 'bearer' }]
}
