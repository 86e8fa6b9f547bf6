import { messageOf } from '../http/messages.js'
import { AccountShown } from './account-schemas.js'
import { FACTOR_EXAMPLES } from './factor-examples.js'
import { SignedInData } from './factor-schemas.js'
import { Inspection } from './inspection-schema.js'
import { ApiKeyMade, ApiKeys } from './key-schemas.js'
import type { Operation } from './operation.js'
import {
  Account,
  AccountPage,
  Email,
  Ended,
  Events,
  Exposition,
  KeySet,
  ProfileChanged,
  Registered,
  Settings,
  SignIns,
  TokenPair,
  User,
} from './schemas.js'

/*
 * Examples of answers. Credentials are cut short, so that none works and no scanner reports a leaked secret.
 */

const BEGAN = '2026-03-02T09:30:00.000Z'
const SEEN = '2026-03-02T09:41:00.000Z'
const IDLE_END = '2026-03-02T11:41:00.000Z'
const LAST_END = '2026-03-09T09:30:00.000Z'

const zoe = {
  id: 'muhOLlZAO74Ev3RdRkEv1w',
  username: 'Zoë',
  role: 'user',
  disabled: false,
  created_at: '2026-02-14T18:00:00.000Z',
  updated_at: '2026-02-14T18:00:00.000Z',
}

const signIn = {
  id: 'ShfZvMcX8tcJ7MTVFjbMng',
  auth_type: 'session',
  created_at: BEGAN,
  last_seen_at: SEEN,
  expires_at: IDLE_END,
  ip: '203.0.113.7',
  user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  bound: false,
  factors: ['password'],
  current: true,
}

const apiKey = {
  id: 'Q7pZ0bVd3kXt9sLm',
  name: 'nightly backup',
  scopes: ['read'],
  expires_at: '2026-04-01T09:30:00.000Z',
}

const keyInfo = { ...apiKey, created_at: BEGAN, last_used_at: SEEN }

const inspection = {
  cookie: { name: 'session', http_only: true, same_site: 'lax', path: '/', secure: false, max_age: null },
  cookie_fields: null,
  session: {
    username: 'Zoë',
    role: 'user',
    signed_in_at: BEGAN,
    remember: false,
    data_names: ['cart'],
    version: 3,
    idle_expires_at: IDLE_END,
    absolute_expires_at: LAST_END,
  },
  sign_in: {
    created_at: BEGAN,
    last_seen_at: SEEN,
    idle_expires_at: IDLE_END,
    absolute_expires_at: LAST_END,
    ip: signIn.ip,
    user_agent: signIn.user_agent,
    refreshed: null,
    factors: [{ method: 'password', at: BEGAN }],
  },
}

const pair = {
  token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9…',
  token_type: 'Bearer',
  expires_in: 900,
  refresh_token: 'v1.7FrCmMBA…',
  refresh_expires_in: 604_800,
}

/** By the schema of `data`, or of the whole answer. */
const EXAMPLES = new Map<unknown, unknown>([
  [
    User,
    {
      username: 'Zoë',
      role: 'user',
      avatar: 'https://example.com/zoe.png',
      display_name: 'Zoë Zweig',
      email: 'zoe@example.com',
      last_sign_ins: [{ auth_type: 'session', time: BEGAN, ip: signIn.ip }],
    },
  ],
  [Email, { email: 'zoe@example.com' }],
  [ProfileChanged, { display_name: 'Zoë Zweig' }],
  [TokenPair, pair],
  [SignIns, [signIn]],
  [ApiKeyMade, { ...apiKey, key: 'fik_Q7pZ0bVd3kXt9sLm_…' }],
  [ApiKeys, [keyInfo]],
  [Registered, { username: 'Zoë', role: 'user' }],
  [Account, zoe],
  [
    AccountShown,
    {
      ...zoe,
      display_name: 'Zoë Zweig',
      sign_ins: [{ ...signIn, current: false }],
      keys: [keyInfo],
      events: [
        { type: 'signed_in', time: BEGAN, ip: signIn.ip, auth_type: 'session', sign_in_id: signIn.id },
        {
          type: 'account_created',
          time: zoe.created_at,
          ip: signIn.ip,
          role: 'user',
          by: 'registration',
          actor_id: null,
        },
      ],
    },
  ],
  [AccountPage, { accounts: [zoe], next: 'zoë' }],
  [Ended, { ended: 2 }],
  [
    Settings,
    {
      registration: 'open',
      inspector: true,
      mail: true,
      passkey_origin: 'https://center.example',
      docs: true,
      lab: true,
      cookie_names: { cookie: 'identity', session: 'session' },
      cookie_sent: false,
      refresh_sent: false,
    },
  ],
  [Inspection, inspection],
  [
    Events,
    `event: hello\ndata: {"sign_in_id":"${signIn.id}","expires_at":"${IDLE_END}"}\n\nevent: signed_out\ndata: {"error":"SIGNED_OUT"}\n\n`,
  ],
  [Exposition, '# TYPE fastify_identity_feed_up gauge\nfastify_identity_feed_up 1\n'],
  ...FACTOR_EXAMPLES,
  [SignedInData, pair],
  [KeySet, { keys: [{ kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA', kid: '7FrCmMBA', x: '11qY…' }] }],
])

/** The success answer of an operation. */
export function exampleOf({ plain, status = 200, data, isPaged, authType, says }: Operation): unknown {
  if (plain) return EXAMPLES.get(plain.schema)
  return {
    code: status,
    ...(says ? { msg: messageOf(says) } : { msg: 'A sentence for people.' }),
    ...(authType ? { auth_type: authType === 'any' ? 'session' : authType } : {}),
    ...(data ? { data: EXAMPLES.get(data) } : {}),
    ...(isPaged ? { next: null } : {}),
  }
}
