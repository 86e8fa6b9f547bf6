import { type TSchema, Type } from 'typebox'
import type { Operation } from './operation.js'

/*
 * The answers of the API, for people and client generators. They do not serialise anything. Tests compare them with
 * real answers.
 */

export const closed = { additionalProperties: false }
export const Moment = Type.String({ format: 'date-time', description: 'In UTC.' })

export const AuthType = Type.Enum(['api_key', 'token', 'session', 'cookie'], {
  description: 'How the caller was recognised.',
})

const DisplayName = Type.Union([Type.String(), Type.Null()], {
  description: 'The name to show. Null: show the username.',
})

export const User = Type.Object(
  {
    username: Type.String(),
    role: Type.String(),
    avatar: Type.String({ description: 'An image, as a URL.' }),
    display_name: DisplayName,
    email: Type.Union([Type.String(), Type.Null()], { description: 'Confirmed by a code. Null: none.' }),
    last_sign_ins: Type.Array(
      Type.Object(
        { auth_type: AuthType, time: Moment, ip: Type.Union([Type.String(), Type.Null()]) },
        closed,
      ),
      { description: 'The newest first, at most five. They may have ended since.' },
    ),
  },
  closed,
)

export const ProfileChanged = Type.Object({ display_name: DisplayName }, closed)

export const Email = Type.Object({ email: Type.String() }, closed)

export const TokenPair = Type.Object(
  {
    token: Type.String({ description: 'The access token: a JWT of the type at+jwt (RFC 9068).' }),
    token_type: Type.Enum(['Bearer', 'DPoP'], {
      description: 'DPoP: each use of the tokens needs a proof by the key of the login (RFC 9449).',
    }),
    expires_in: Type.Integer({ description: 'Lifetime of the access token in seconds.' }),
    refresh_token: Type.Optional(
      Type.String({ description: 'Gives one new pair. Missing if it is in the refresh cookie.' }),
    ),
    refresh_expires_in: Type.Integer({
      description: 'Seconds until the sign-in ends. A refresh does not extend it.',
    }),
  },
  closed,
)

export const FactorMethod = Type.Enum(['password', 'totp', 'passkey', 'recovery_code', 'external'])

export const SignIns = Type.Array(
  Type.Object(
    {
      id: Type.String({ description: 'The id of the sign-in. It is not a credential.' }),
      auth_type: AuthType,
      created_at: Moment,
      last_seen_at: Moment,
      expires_at: Moment,
      ip: Type.String(),
      user_agent: Type.String(),
      bound: Type.Boolean({ description: 'Whether its credentials need proofs by a key of its client.' }),
      factors: Type.Array(FactorMethod, {
        description: 'The factors that its owner gave. Empty for an API key.',
      }),
      current: Type.Boolean({ description: 'Whether the caller uses this sign-in.' }),
    },
    closed,
  ),
)

export const Registered = Type.Object({ username: Type.String(), role: Type.String() }, closed)

export const Account = Type.Object(
  {
    id: Type.String({
      description: 'Immutable and never reused. Audit events use it.',
    }),
    username: Type.String({ description: 'As typed when the account was made.' }),
    role: Type.Enum(['admin', 'user']),
    disabled: Type.Boolean(),
    created_at: Moment,
    updated_at: Moment,
  },
  closed,
)

export const AccountPage = Type.Object(
  {
    accounts: Type.Array(Account),
    next: Type.Union([Type.String(), Type.Null()], {
      description: 'The value of `after` for the next page; null on the last page.',
    }),
  },
  closed,
)

export const Ended = Type.Object(
  { ended: Type.Integer({ description: 'The number of ended sign-ins.' }) },
  closed,
)

export const Settings = Type.Object(
  {
    registration: Type.Enum(['open', 'closed']),
    inspector: Type.Boolean({ description: 'Whether GET /inspector exists.' }),
    mail: Type.Boolean({
      description: 'Whether this server sends mails, so that forgotten passwords can be reset.',
    }),
    passkey_origin: Type.Union([Type.String(), Type.Null()], {
      description: 'The only origin where passkeys work. Null: there are none.',
    }),
    docs: Type.Boolean({ description: 'Whether this document exists.' }),
    lab: Type.Boolean({ description: 'Whether the experiments at /lab are served to the caller.' }),
    cookie_names: Type.Object({ cookie: Type.String(), session: Type.String() }, closed),
    cookie_sent: Type.Boolean({
      description: 'Whether the request had one of our cookies, valid or not.',
    }),
    refresh_sent: Type.Boolean({ description: 'Whether one of them was the refresh cookie.' }),
  },
  closed,
)

export const KeySet = Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.Unknown())) }, closed)

export const Exposition = Type.String({ description: 'Lines of metrics, each with its HELP and TYPE.' })

export const Events = Type.String({ description: 'Server-sent events, each with JSON as its data.' })

const Next = Type.Union([Type.String(), Type.Null()], {
  description: 'The value of `after` for the next page; null on the last page.',
})

/** The form of every success of the API. */
export function success({ status = 200, data, isPaged, authType }: Operation): TSchema {
  return Type.Object(
    {
      code: Type.Literal(status),
      msg: Type.String({
        description: 'For people, in the language of Accept-Language: English or Chinese.',
      }),
      ...(authType ? { auth_type: authType === 'any' ? AuthType : Type.Literal(authType) } : {}),
      ...(data ? { data } : {}),
      ...(isPaged ? { next: Next } : {}),
    },
    closed,
  )
}

const FactorAsked = Type.Object(
  {
    factors: Type.Array(Type.Enum(['totp', 'passkey', 'recovery_code'])),
    pending: Type.Optional(Type.String({ description: 'For POST /login_factor. A reset has none.' })),
    expires_in: Type.Optional(Type.Integer({ description: 'Seconds.' })),
  },
  { ...closed, description: 'With SECOND_FACTOR_REQUIRED.' },
)

/** The form of every refusal with this status. */
export function failure(status: number, codes: readonly string[]): TSchema {
  const reason = Type.Enum(['too_short', 'too_long', 'common', 'like_username'])
  return Type.Object(
    {
      code: Type.Literal(status),
      msg: Type.String(),
      error: Type.Enum([...codes], { description: 'Stable, for programs.' }),
      ...(codes.includes('PASSWORD_REFUSED') ? { reason } : {}),
      ...(codes.includes('SECOND_FACTOR_REQUIRED') ? { data: Type.Optional(FactorAsked) } : {}),
    },
    closed,
  )
}
