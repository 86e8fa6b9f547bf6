import { type TSchema, Type } from 'typebox'
import { closed, FactorMethod, Moment } from './schemas.js'

const MomentOrNull = Type.Union([Moment, Type.Null()])
const TextOrNull = Type.Union([Type.String(), Type.Null()])
const orNull = (fields: Record<string, TSchema>) => Type.Union([Type.Object(fields, closed), Type.Null()])

const Factors = Type.Array(Type.Object({ method: FactorMethod, at: Moment }, closed))

export const Inspection = Type.Object(
  {
    cookie: orNull({
      name: Type.String(),
      http_only: Type.Boolean(),
      same_site: Type.String(),
      path: Type.String(),
      secure: Type.Boolean(),
      max_age: Type.Union([Type.Integer({ description: 'Seconds.' }), Type.Null()]),
    }),
    cookie_fields: orNull({
      username: Type.String(),
      role: Type.String(),
      epoch: Type.Integer(),
      remember: Type.Boolean(),
      signed_in_at: Moment,
      issued_at: Moment,
      expires_at: Moment,
      factors: Factors,
    }),
    session: orNull({
      username: TextOrNull,
      role: TextOrNull,
      signed_in_at: MomentOrNull,
      remember: Type.Boolean(),
      data_names: Type.Array(Type.String()),
      version: Type.Integer(),
      idle_expires_at: Moment,
      absolute_expires_at: Moment,
    }),
    sign_in: orNull({
      created_at: Moment,
      last_seen_at: Moment,
      idle_expires_at: Moment,
      absolute_expires_at: Moment,
      ip: Type.String(),
      user_agent: Type.String(),
      refreshed: Type.Union([Type.Integer({ description: 'How many times.' }), Type.Null()]),
      factors: Factors,
    }),
  },
  closed,
)
