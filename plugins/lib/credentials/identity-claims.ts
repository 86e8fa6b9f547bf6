import type { CheckedAccount, Claims, Identity, ModeName, SignInRef } from '../contract.js'
import { type Static, Type } from '../shape.js'
import type { SignInRecord } from '../stores/contract.js'
import { isFactorsText, readFactors, writeFactors } from './given-factors.js'

const Text = Type.String({ minLength: 1, maxLength: 256 })
export const Whole = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
/** Seconds since 1970, as far as a `Date` goes (ECMA-262 §21.4.1.1). */
export const Instant = Type.Integer({ minimum: 0, maximum: 8_640_000_000_000 })

/**
 * The claims of a self-contained credential, cookie or token. Names as in RFC 7519 §4.1, OpenID Connect Core §2
 * (`auth_time`) and Front-Channel Logout §3 (`sid`). Times are in seconds.
 */
export const IdentityClaims = {
  sub: Text,
  username: Text,
  role: Text,
  epoch: Whole,
  gen: Whole,
  sid: Text,
  auth_time: Instant,
  iat: Instant,
  exp: Instant,
  ext: Type.Optional(Type.Record(Type.Unknown)),
  /** See writeFactors. */
  fac: Type.Optional(isFactorsText),
}

const Shape = Type.Object(IdentityClaims)
type IdentityClaimValues = Static<typeof Shape>

/**
 * @param issuedAt in ms
 * @param ttl in seconds; cut off at the sign-in's absolute limit
 */
export function claimsOf(
  record: SignInRecord,
  account: CheckedAccount,
  ext: Claims,
  issuedAt: number,
  ttl: number,
): IdentityClaimValues {
  const iat = Math.floor(issuedAt / 1000)
  const fac = writeFactors(record.factors, record.createdAt)
  return {
    sub: account.id,
    username: account.username,
    role: account.role,
    epoch: record.epoch,
    gen: record.generation,
    sid: record.id,
    auth_time: Math.floor(record.createdAt / 1000),
    iat,
    exp: Math.min(iat + ttl, Math.floor(record.absoluteExpiresAt / 1000)),
    ...(Object.keys(ext).length > 0 ? { ext } : {}),
    ...(fac === undefined ? {} : { fac }),
  }
}

/** The reference to the sign-in that genuine claims name. */
export function refOf(claims: Pick<IdentityClaimValues, 'sub' | 'sid' | 'epoch' | 'gen'>): SignInRef {
  return { accountId: claims.sub, signInId: claims.sid, epoch: claims.epoch, generation: claims.gen }
}

/**
 * Freezes a value and everything in it: several requests may share an identity. It uses a loop, because recursion over
 * deeply nested JSON would exhaust the stack at every request with that credential.
 */
export function freezeDeep<T>(value: T): T {
  const pending: unknown[] = [value]
  for (const one of pending) {
    if (typeof one !== 'object' || one === null) continue
    Object.freeze(one)
    for (const inner of Object.values(one)) pending.push(inner)
  }
  return value
}

/** @param authTime in ms */
export function makeIdentity(
  { sub, sid, username, role, fac }: Pick<IdentityClaimValues, 'sub' | 'sid' | 'username' | 'role' | 'fac'>,
  mode: ModeName,
  authTime: number,
  claims: Claims,
): Identity {
  return Object.freeze({
    accountId: sub,
    username,
    role,
    mode,
    signInId: sid,
    authTime,
    factors: readFactors(fac, authTime),
    claims: freezeDeep(claims),
  })
}

const NO_CLAIMS: Claims = Object.freeze({})

/** The identity of genuine claims whose sign-in is live. */
export function identityOf(claims: IdentityClaimValues, mode: ModeName): Identity {
  return makeIdentity(claims, mode, claims.auth_time * 1000, claims.ext ? (claims.ext as Claims) : NO_CLAIMS)
}
