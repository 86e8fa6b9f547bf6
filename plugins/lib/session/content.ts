import type { CheckedAccount, Claims, Identity, SignInOptions } from '../contract.js'
import { writeFactors } from '../credentials/given-factors.js'
import { IdentityClaims, makeIdentity } from '../credentials/identity-claims.js'
import { claimsObject } from '../credentials/sensitive-claims.js'
import { ClaimInvalid } from '../errors.js'
import { type Static, Type } from '../shape.js'
import type { SignInRecord } from '../stores/contract.js'
import { STEP_MAX } from './cookie.js'
import { faultyField, isNestedTooDeep } from './json-fault.js'

const { sub, username, role, epoch, gen, sid, fac } = IdentityClaims
const AnyObject = Type.Record(Type.Unknown)
/** A time in ms that a `Date` can hold. */
const Moment = Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 })

/** The sign-in that a session stands for. `auth_time` is in ms. */
const isSessionSignIn = Type.Object(
  {
    ...{ sid, sub, username, role, epoch, gen },
    auth_time: Moment,
    remember: Type.Boolean,
    claims: AnyObject,
    // Device binding was offered at the sign-in. Its record tells whether it was bound.
    dev: Type.Optional(Type.Literal(1)),
    fac,
    // After step-ups: their number, and the factors and expiry of the old id. See steps.ts.
    step: Type.Optional(Type.Integer({ minimum: 1, maximum: STEP_MAX })),
    old: Type.Optional(Type.Object({ until: Moment, fac }, { additionalProperties: false })),
  },
  { additionalProperties: false },
)

/** The content of a session record: the sign-in (null if anonymous) and the application's data. */
const isSessionContent = Type.Object(
  { signIn: Type.Union([Type.Null, isSessionSignIn]), data: AnyObject },
  { additionalProperties: false },
)

export type SessionSignIn = Static<typeof isSessionSignIn>
export type SessionContent = Static<typeof isSessionContent>

/** The data and the sign-in that a new session takes over from the one it replaces. */
export interface Legacy {
  /** The key of its record, if it is stored. */
  readonly key: string | null
  readonly signIn: SessionSignIn | null
  readonly data: Record<string, unknown>
}

/** The content of an opened record. Null if it is malformed, which counts as no record. */
export function parseContent(text: string): SessionContent | null {
  try {
    const value: unknown = JSON.parse(text)
    return isSessionContent(value) && !isNestedTooDeep(value) ? value : null
  } catch {
    return null
  }
}

/** A copy of the application's claims. They stay on the server, so any JSON is allowed. @throws CLAIM_INVALID */
function copyClaims(claims: unknown): Record<string, unknown> {
  const object = claimsObject(claims)
  const faulty = faultyField(object)
  if (faulty) throw new ClaimInvalid(...faulty)
  return JSON.parse(JSON.stringify(object))
}

/** The content of a new sign-in's session. @throws CLAIM_INVALID for claims that are not a JSON object */
export function contentOfSignIn(
  record: SignInRecord,
  account: CheckedAccount,
  options: SignInOptions,
  legacy: Legacy,
  isOffered: boolean,
): SessionContent {
  const { signIn, data } = legacy
  const given = writeFactors(record.factors, record.createdAt)
  return {
    signIn: {
      sid: record.id,
      sub: account.id,
      username: account.username,
      role: account.role,
      epoch: record.epoch,
      gen: record.generation,
      auth_time: record.createdAt,
      remember: options.remember === true,
      claims: copyClaims(options.claims),
      ...(isOffered ? { dev: 1 as const } : {}),
      ...(given === undefined ? {} : { fac: given }),
    },
    // Keeps an anonymous visitor's data, and the same account's. Never another account's.
    data: !signIn || signIn.sub === account.id ? data : {},
  }
}

/** The identity of a session whose sign-in is live. */
export function identityOfSession(signIn: SessionSignIn): Identity {
  return makeIdentity(signIn, 'session', signIn.auth_time, signIn.claims as Claims)
}
