import type { CookieNames } from '../../config/cookie-names.js'

/** A credential that was found in the pasted text. */
export interface Pasted {
  /** The mode whose cookie's name preceded it, or null. */
  readonly cookie: 'cookie' | 'session' | null
  /** The scheme that preceded it, or null. */
  readonly scheme: 'bearer' | 'dpop' | null
  readonly text: string
}

const TOKEN = /\b(Bearer|DPoP) +(\S+)/i

/** Escapes a name for a regular expression. */
const literally = (name: string) => name.replace(/[$*+.^|]/g, '\\$&')

/**
 * Finds the credentials in a `Cookie`, `Set-Cookie` or `Authorization` header as browser tools copy it. Without a
 * header the whole text is the credential.
 * @param names of the server's cookies
 */
export function credentialsIn(text: string, { cookieName, sessionName }: CookieNames): readonly Pasted[] {
  const either = [cookieName, sessionName].map(literally).join('|')
  const pairs = new RegExp(`(?:^|[;,\\s])(?:__Host-)?(${either})=([^;,\\s]+)`, 'g')
  const cookies = [...text.matchAll(pairs)].map(([, name, value = '']): Pasted => {
    return { cookie: name === cookieName ? 'cookie' : 'session', scheme: null, text: value }
  })
  if (cookies.length > 0) return cookies
  const [, name, token] = TOKEN.exec(text) ?? []
  if (!name || !token) return [{ cookie: null, scheme: null, text: text.trim() }]
  return [{ cookie: null, scheme: /dpop/i.test(name) ? 'dpop' : 'bearer', text: token }]
}
