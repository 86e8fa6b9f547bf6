import { Type } from 'typebox'
import { closed, Moment } from './schemas.js'

/* Answers about API keys. */

const KeyScopes = Type.Array(Type.Enum(['read', 'write']))
const keyFields = {
  id: Type.String({ description: 'The id of the key, and of its sign-in. It is not a credential.' }),
  name: Type.String(),
  scopes: KeyScopes,
}

export const ApiKeyMade = Type.Object(
  {
    ...keyFields,
    key: Type.String({ description: 'For Authorization: Bearer. No later answer contains it.' }),
    expires_at: Moment,
  },
  closed,
)

export const ApiKeys = Type.Array(
  Type.Object(
    {
      ...keyFields,
      created_at: Moment,
      last_used_at: Type.Union([Moment, Type.Null()], { description: 'Up to a minute behind.' }),
      expires_at: Moment,
    },
    closed,
  ),
)
