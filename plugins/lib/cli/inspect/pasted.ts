import type { CookieNames } from '../../config/cookie-names.js'

/** A credential as it was found in what somebody pasted. */
export interface Pasted {
  /** The mode under whose cookie's name it stood, or null. */
  readonly cookie: 'cookie' | 'session' | null
  readonly text: string
}

const BEARER = /\bBearer +(\S+)/i

/** A name as it is, in an expression. */
const literally = (name: string) => name.replace(/[$*+.^|]/g, '\\$&')

/**
 * Finds the credentials in a `Cookie`, `Set-Cookie` or `Authorization` header as a browser's tools copy
 * them, or else takes the whole text for one.
 * @param names of the server's cookies
 */
export function credentialsIn(text: string, { cookieName, sessionName }: CookieNames): readonly Pasted[] {
  const either = [cookieName, sessionName].map(literally).join('|')
  const pairs = new RegExp(`(?:^|[;,\\s])(?:__Host-)?(${either})=([^;,\\s]+)`, 'g')
  const cookies = [...text.matchAll(pairs)].map(([, name, value = '']): Pasted => {
    return { cookie: name === cookieName ? 'cookie' : 'session', text: value }
  })
  if (cookies.length > 0) return cookies
  const [, token] = BEARER.exec(text) ?? []
  return [{ cookie: null, text: token ?? text.trim() }]
}
