import { Type } from 'typebox'
import { ApiKeys } from './key-schemas.js'
import { Account, AuthType, closed, Moment, SignIns } from './schemas.js'

/* The answer about one account. */

const TextOrNull = Type.Union([Type.String(), Type.Null()])
const optionalText = (description: string) => Type.Optional(Type.String({ description }))

const Event = Type.Object(
  {
    type: Type.String({ description: 'The type of the audit event.' }),
    time: Moment,
    ip: Type.Union([Type.String(), Type.Null()], { description: 'Null without a request.' }),
    auth_type: Type.Optional(AuthType),
    sign_in_id: Type.Optional(TextOrNull),
    by: optionalText('Who did it, or the limit that refused it.'),
    actor_id: Type.Optional(
      Type.Union([Type.String(), Type.Null()], { description: 'The id of the acting account.' }),
    ),
    why: optionalText('Why a sign-in was ended.'),
    changed: optionalText('What was changed.'),
    to: Type.Optional(
      Type.Union([Type.String(), Type.Boolean(), Type.Null()], { description: 'The new value.' }),
    ),
    role: optionalText('The role of a new account.'),
    what: optionalText('The kind of attempt that was refused.'),
  },
  closed,
)

export const AccountShown = Type.Object(
  {
    ...Account.properties,
    display_name: TextOrNull,
    sign_ins: SignIns,
    keys: ApiKeys,
    events: Type.Array(Event, { description: 'At most 50.' }),
  },
  closed,
)
