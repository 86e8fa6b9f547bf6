/** A credential as it was found in what somebody pasted. */
export interface Pasted {
  /** Under which cookie's name it stood, or null. */
  readonly cookie: 'identity' | 'session' | null
  readonly text: string
}

const COOKIES = /(?:^|[;,\s])(?:__Host-)?(identity|session)=([^;,\s]+)/g
const BEARER = /\bBearer +(\S+)/i

/**
 * Finds the credentials in a `Cookie`, `Set-Cookie` or `Authorization` header as a browser's tools copy
 * them, or else takes the whole text for one.
 */
export function credentialsIn(text: string): readonly Pasted[] {
  const cookies = [...text.matchAll(COOKIES)].map(([, name, value = '']): Pasted => {
    return { cookie: name === 'identity' ? 'identity' : 'session', text: value }
  })
  if (cookies.length > 0) return cookies
  const [, token] = BEARER.exec(text) ?? []
  return [{ cookie: null, text: token ?? text.trim() }]
}
