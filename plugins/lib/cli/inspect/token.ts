import Fastify from 'fastify'
import type { Config } from '../../config/config.js'
import { readFactors } from '../../credentials/given-factors.js'
import { refOf } from '../../credentials/identity-claims.js'
import { type AccessTokenRules, AccessTokens } from '../../token/access-token.js'
import { createTokenCodecs, sharedTokenKeys, type TokenCodecs } from '../../token/codecs.js'
import { CLOCK_TOLERANCE } from '../../token/options.js'
import { combineTokenKeys } from '../../token/signing-keys.js'
import {
  type Content,
  decodeObject,
  expiryOf,
  type Fault,
  type Finding,
  type InspectParts,
  NOTHING,
} from './finding.js'
import type { Pasted } from './pasted.js'

const refused = (sentence: string): Fault => ({ code: 'TOKEN_INVALID', sentence })
const EXPIRED: Fault = { code: 'TOKEN_EXPIRED', sentence: 'It is genuine, but has expired.' }

function headerFault(codecs: TokenCodecs, keyIds: readonly string[], header: string): Fault | null {
  if (codecs.find(header)) return null
  return refused(
    keyIds.some((id) => id === decodeObject(header)?.kid)
      ? 'It names a key of this server, but its header is not that of our tokens.'
      : `Its key is not here (here: ${keyIds.join(', ')}): the key was removed, or belongs to another issuer.`,
  )
}

function claimsFault(
  content: Content | null,
  { issuer, audience, clockTolerance }: AccessTokenRules,
  now: number,
): Fault {
  if (content?.iss !== issuer) return refused(`Its issuer (iss) is not ${issuer}.`)
  if (content.aud !== audience) return refused(`Its audience (aud) is not ${audience}.`)
  if (Number(content.iat) * 1000 > now + clockTolerance * 1000)
    return refused('It was issued in the future: the clocks of two machines differ.')
  return refused(
    'Its signature does not match, its claims are not those of our tokens, or its lifetime is longer than ACCESS_TOKEN_TTL.',
  )
}

/** A bound token belongs under another scheme than an unbound one (RFC 9449 §7.1). */
function schemeFault(
  boundTo: string | undefined,
  scheme: Pasted['scheme'],
  { publicUrl }: Pick<Config, 'publicUrl'>,
): Fault | null {
  if (scheme === 'bearer' && boundTo)
    return refused('It is bound to a key. It belongs under the scheme DPoP, beside a proof.')
  if (scheme === 'dpop' && !boundTo)
    return refused('It is bound to no key. It belongs under the scheme Bearer.')
  return boundTo && publicUrl === null
    ? refused('Without PUBLIC_URL this server takes no bound tokens.')
    : null
}

/** Inspects an access token with the server's keys. */
export async function inspectToken(
  { config, ring, now }: InspectParts,
  { scheme, text }: Pick<Pasted, 'scheme' | 'text'>,
): Promise<Finding> {
  const [header = '', body = '', ...rest] = text.split('.')
  if (rest.length !== 1) return NOTHING
  const shared = sharedTokenKeys(ring.purpose('access-token'))
  const keys = config.tokenKeys ? combineTokenKeys(config.tokenKeys.keys, shared) : shared
  const app = Fastify()
  try {
    const codecs = await createTokenCodecs(app, keys)
    const { tokenIssuer: issuer, tokenAudience: audience, accessTokenTtl: accessTtl } = config
    const rules = { issuer, audience, accessTtl, clockTolerance: CLOCK_TOLERANCE }
    const claims = new AccessTokens(codecs, rules).open(text, now)
    const [content, kid] = [decodeObject(body), decodeObject(header)?.kid]
    const keyId = typeof kid === 'string' ? kid : null
    const head = { kind: 'access token', keyId, content, expiresAt: expiryOf(content) } as const
    if (claims) {
      const boundTo = claims.cnf?.jkt
      const fault = claims.exp * 1000 <= now ? EXPIRED : schemeFault(boundTo, scheme, config)
      const factors = readFactors(claims.fac, claims.auth_time * 1000)
      return { ...head, fault, subject: { kind: 'sign-in', ref: refOf(claims) }, boundTo, factors }
    }
    const ids = keys.map(({ id }) => id)
    const fault = headerFault(codecs, ids, header) ?? claimsFault(content, rules, now)
    return { ...head, fault, subject: null }
  } finally {
    await app.close()
  }
}
