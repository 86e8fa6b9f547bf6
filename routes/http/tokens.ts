import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthModes, ModeName } from 'fastify-identity'
import type { PairInCookie, TokenPair } from 'fastify-identity/token-auth'

/** A pair of tokens in an answer (RFC 6749 §5.1). Lifetimes are in seconds. */
function tokenData(pair: TokenPair | PairInCookie) {
  return {
    token: pair.token,
    token_type: pair.tokenType,
    expires_in: pair.expiresIn,
    // JSON leaves out undefined.
    refresh_token: 'refreshToken' in pair ? pair.refreshToken : undefined,
    refresh_expires_in: pair.refreshExpiresIn,
  }
}

/** The pair for the answer. The refresh token is in the body or in the cookie, as the client asked. */
export async function sendPair(
  request: FastifyRequest,
  reply: FastifyReply,
  issued: TokenPair,
  isInCookie: boolean,
) {
  return tokenData(isInCookie ? await request.server.refreshCookie.set(request, reply, issued) : issued)
}

/** Whether the result of a sign-in is a pair of tokens. */
export const isPair = (issued: AuthModes[ModeName]): issued is TokenPair =>
  typeof issued === 'object' && issued !== null && 'refreshToken' in issued

/** Data of a login by token for its second step. The pending sign-in keeps it as JSON. */
export const loginMemo = (isRefreshInCookie: boolean) => ({ refresh_cookie: isRefreshInCookie })

export function isRefreshInCookie(memo: unknown): boolean {
  const { refresh_cookie }: { refresh_cookie?: unknown } = Object(memo)
  return refresh_cookie === true
}
