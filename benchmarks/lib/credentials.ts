import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { atOnce } from './at-once.js'
import { usernameOf } from './profile.js'
import type { Server } from './server.js'

export type Headers = Readonly<Record<string, string>>

/** A signed-in user with the headers to send. */
export interface Client {
  readonly username: string
  readonly headers: Headers
  readonly refreshToken?: string
}

const Tokens = Type.Object({
  token: Type.Optional(Type.String()),
  refresh_token: Type.Optional(Type.String()),
})
const SignedIn = Type.Object({ ...Tokens.properties, data: Type.Optional(Tokens) })

/** Like a browser's, because it counts in the size of a sign-in. */
export const USER_AGENT =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'

const AT_ONCE = 32

/** One sign-in over HTTP. @throws if it is refused */
export async function signIn(server: Server, username: string): Promise<Client> {
  const { signInPath = '/sign_in', password, headers: more = {} } = server.contender
  const response = await fetch(server.origin + signInPath, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'user-agent': USER_AGENT },
    body: JSON.stringify({ username, password }),
  })
  const text = await response.text()
  if (!response.ok)
    throw new Error(`${server.contender.name} refused ${username}: ${response.status} ${text}`)
  const body = Value.Parse(SignedIn, JSON.parse(text))
  const { token, refresh_token: refreshToken } = body.data ?? body
  return {
    username,
    headers: merge(more, credential(response, token)),
    ...(refreshToken ? { refreshToken } : {}),
  }
}

function credential(response: Response, token: string | undefined): Headers {
  if (token !== undefined) return { authorization: `Bearer ${token}` }
  const cookies = response.headers.getSetCookie().map((line) => line.split(';', 1)[0])
  return cookies.length > 0 ? { cookie: cookies.join('; ') } : {}
}

/** Cookies go into one header, ours last (RFC 6265 §5.4). */
function merge(more: Headers, own: Headers): Headers {
  const cookies = [more.cookie, own.cookie].filter((cookie) => cookie !== undefined)
  return { ...more, ...own, ...(cookies.length > 0 ? { cookie: cookies.join('; ') } : {}) }
}

/** Signs in users 0 to `count` - 1. */
export function signInAll(server: Server, count: number): Promise<Client[]> {
  return atOnce(AT_ONCE, count, (index) => signIn(server, usernameOf(index)))
}
