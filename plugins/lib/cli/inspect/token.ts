import Fastify from 'fastify'
import type { Config } from '../../config/config.js'
import { refOf } from '../../credentials/identity-claims.js'
import type { KeyRing } from '../../credentials/keys.js'
import { type AccessTokenRules, AccessTokens } from '../../token/access-token.js'
import { createTokenCodecs, sharedTokenKeys, type TokenCodecs } from '../../token/codecs.js'
import { CLOCK_TOLERANCE } from '../../token/options.js'
import { combineTokenKeys } from '../../token/signing-keys.js'
import { decodeObject, type Fault, type Finding, numberIn } from './finding.js'

const refused = (sentence: string): Fault => ({ code: 'TOKEN_INVALID', sentence })

function textIn(content: object | null, name: string): string | null {
  const value: unknown = content && Object.hasOwn(content, name) ? Reflect.get(content, name) : null
  return typeof value === 'string' ? value : null
}

function headerFault(codecs: TokenCodecs, keyIds: readonly string[], header: string): Fault | null {
  if (codecs.find(header)) return null
  const kid = textIn(decodeObject(header), 'kid')
  return refused(
    kid !== null && keyIds.includes(kid)
      ? 'It names a key of ours, and its header is not the one of our tokens.'
      : `Its key is not here (here: ${keyIds.join(', ')}): the key was removed, or is another issuer's.`,
  )
}

function claimsFault(
  content: object | null,
  { issuer, audience, clockTolerance }: AccessTokenRules,
  now: number,
): Fault {
  if (textIn(content, 'iss') !== issuer) return refused(`Its issuer (iss) is not ${issuer}.`)
  if (textIn(content, 'aud') !== audience) return refused(`Its audience (aud) is not ${audience}.`)
  const iat = numberIn(content, 'iat') ?? 0
  if (iat * 1000 > now + clockTolerance * 1000)
    return refused('It was issued in the future: the clocks of two machines differ.')
  return refused(
    'Its signature does not match, its claims are not those of our tokens, or it would live longer than ACCESS_TOKEN_TTL allows.',
  )
}

/** Inspects access tokens with a server's keys. */
export class TokenInspector {
  private constructor(
    private readonly codecs: TokenCodecs,
    private readonly keyIds: readonly string[],
    private readonly rules: AccessTokenRules,
    readonly close: () => Promise<void>,
  ) {}

  static async open(config: Config, ring: KeyRing): Promise<TokenInspector> {
    const shared = sharedTokenKeys(ring.purpose('access-token'))
    const keys = config.tokenKeys ? combineTokenKeys(config.tokenKeys.keys, shared) : shared
    const app = Fastify()
    const codecs = await createTokenCodecs(app, keys)
    const { tokenIssuer: issuer, tokenAudience: audience, accessTokenTtl: accessTtl } = config
    const rules = { issuer, audience, accessTtl, clockTolerance: CLOCK_TOLERANCE }
    const ids = keys.map(({ id }) => id)
    return new TokenInspector(codecs, ids, rules, () => app.close())
  }

  /** @param now in ms */
  inspect(text: string, now: number): Finding {
    const [header = '', body = ''] = text.split('.')
    const content = decodeObject(body)
    const claims = new AccessTokens(this.codecs, this.rules).open(text, now)
    const exp = numberIn(content, 'exp')
    const expiresAt = exp === null ? null : exp * 1000
    const head = {
      kind: 'access token',
      keyId: textIn(decodeObject(header), 'kid'),
      content,
      expiresAt,
    } as const
    if (!claims) {
      const fault = headerFault(this.codecs, this.keyIds, header) ?? claimsFault(content, this.rules, now)
      return { ...head, fault, subject: null }
    }
    const isOver = claims.exp * 1000 <= now
    const fault = isOver ? { code: 'TOKEN_EXPIRED', sentence: 'It is genuine, and past its time.' } : null
    return { ...head, fault, subject: { kind: 'sign-in', ref: refOf(claims) } }
  }
}
