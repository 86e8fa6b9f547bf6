import { Type } from 'typebox'
import { closed, Moment, TokenPair } from './schemas.js'

/* Answers about second factors. */

export const Factor = Type.Object(
  {
    id: Type.String(),
    kind: Type.Enum(['totp', 'passkey', 'recovery_code']),
    name: Type.String(),
    created_at: Moment,
    last_used_at: Type.Union([Moment, Type.Null()]),
    left: Type.Optional(Type.Integer({ description: 'How many recovery codes are left.' })),
  },
  closed,
)
export const FactorList = Type.Array(Factor)

export const RecoveryCodes = Type.Object(
  { recovery_codes: Type.Array(Type.String(), { description: 'No later answer contains them.' }) },
  closed,
)

export const NewTotp = Type.Object(
  {
    id: Type.String({ description: 'For the confirmation, within ten minutes.' }),
    secret: Type.String({ description: 'In base32, to type. No later answer contains it.' }),
    uri: Type.String({ description: 'otpauth://totp/…' }),
    qr: Type.String({ description: 'The same as a QR code: data:image/svg+xml;base64,…' }),
  },
  closed,
)

/** For `navigator.credentials`. Opaque to everything except a WebAuthn library. */
export const PasskeyOptions = Type.Record(Type.String(), Type.Unknown(), {
  description: 'JSON of the options of WebAuthn Level 3 §5.1.8 or §5.1.9.',
})

export const PasskeyAdded = Type.Object(
  {
    ...Factor.properties,
    recovery_codes: Type.Optional(
      Type.Array(Type.String(), { description: 'With the first second factor.' }),
    ),
  },
  closed,
)

export const PasskeySignIn = Type.Object({ options: PasskeyOptions, pending: Type.String() }, closed)

export const FactorsReset = Type.Object(
  {
    removed: Type.Integer({ description: 'The number of removed factors.' }),
    ended: Type.Integer({ description: 'The number of ended sign-ins.' }),
  },
  closed,
)

/** The data in the answer to a login by a second factor or a passkey. */
export const SignedInData = Type.Optional(
  Type.Partial(
    Type.Object(
      {
        ...TokenPair.properties,
        recovery_codes_left: Type.Integer({
          maximum: 3,
          description: 'Only if three or fewer recovery codes are left.',
        }),
      },
      closed,
    ),
    { description: 'The fields of a pair of tokens only in token mode.' },
  ),
)
