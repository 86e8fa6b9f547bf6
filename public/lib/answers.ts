import { anything, type Decoder, flag, listOf, number, oneOf, orNull, shape, text } from './decode.js'

/** The fields of the API's `data` that the page uses. */

export const MODES = ['cookie', 'session', 'token'] as const
export type Mode = (typeof MODES)[number]
export const mode: Decoder<Mode> = oneOf(...MODES)

/** What a sign-in in the list may be by. */
export type AuthType = Mode | 'api_key'
const authType: Decoder<AuthType> = oneOf<AuthType>(...MODES, 'api_key')

export const settings = shape({
  registration: oneOf('open', 'closed'),
  inspector: flag,
  docs: flag,
  mail: flag,
  passkey_origin: orNull(text),
  lab: flag,
  cookie_names: shape({ cookie: text, session: text }),
  cookie_sent: flag,
  refresh_sent: flag,
})
export type Settings = ReturnType<typeof settings>

export const displayName = shape({ display_name: orNull(text) })

export const user = shape({
  username: text,
  role: text,
  avatar: text,
  display_name: orNull(text),
  last_sign_ins: listOf(shape({ auth_type: authType, time: text, ip: orNull(text) })),
})
export type User = ReturnType<typeof user>

const signIn = shape({
  id: text,
  auth_type: authType,
  created_at: text,
  last_seen_at: text,
  expires_at: text,
  ip: text,
  user_agent: text,
  current: flag,
  bound: flag,
  factors: orNull(listOf(text)),
})
export type SignIn = ReturnType<typeof signIn>
export const signIns = listOf(signIn)

const apiKey = shape({
  id: text,
  name: text,
  scopes: listOf(text),
  last_used_at: orNull(text),
  expires_at: text,
})
export type ApiKey = ReturnType<typeof apiKey>
export const apiKeys = listOf(apiKey)

export const madeKey = shape({ name: text, key: text })
export type MadeKey = ReturnType<typeof madeKey>

export const ended = shape({ ended: number })

export const account = shape({ username: text, role: text, disabled: flag, created_at: text })
export type Account = ReturnType<typeof account>
export const accountPage = shape({ accounts: listOf(account), next: orNull(text) })
const event = shape({
  type: text,
  time: text,
  ip: orNull(text),
  auth_type: orNull(authType),
  by: orNull(text),
  changed: orNull(text),
  to: anything,
})
export type AccountEvent = ReturnType<typeof event>
export const accountShown = shape({
  ...{ username: text, role: text, disabled: flag, created_at: text },
  display_name: orNull(text),
  sign_ins: signIns,
  keys: apiKeys,
  events: listOf(event),
})
export type AccountShown = ReturnType<typeof accountShown>
export type AccountPage = ReturnType<typeof accountPage>

export const inspection = shape({
  cookie: orNull(
    shape({
      name: text,
      http_only: flag,
      same_site: text,
      path: text,
      secure: flag,
      max_age: orNull(number),
    }),
  ),
  cookie_fields: orNull(
    shape({
      username: text,
      role: text,
      epoch: number,
      remember: flag,
      signed_in_at: text,
      issued_at: text,
      expires_at: text,
    }),
  ),
  session: orNull(
    shape({
      username: orNull(text),
      role: orNull(text),
      signed_in_at: orNull(text),
      remember: flag,
      data_names: listOf(text),
      version: number,
      idle_expires_at: text,
      absolute_expires_at: text,
    }),
  ),
  sign_in: orNull(
    shape({
      created_at: text,
      last_seen_at: text,
      idle_expires_at: text,
      absolute_expires_at: text,
      ip: text,
      user_agent: text,
      refreshed: orNull(number),
    }),
  ),
})
export type Inspection = ReturnType<typeof inspection>
