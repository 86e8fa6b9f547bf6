import { BODY, GUARDED, UNSAFE } from './failures.js'
import type { Operation } from './operation.js'
import { Account, AccountPage, Ended, Registered } from './schemas.js'

/** Operations on accounts, by method and path. */
export const ACCOUNT_OPERATIONS: Readonly<Record<string, Operation>> = {
  'DELETE /accounts/:username/sign_ins': {
    id: 'endSignInsOfAccount',
    tag: 'Accounts',
    summary: 'End all sign-ins of an account (administrators)',
    guarded: true,
    data: Ended,
    says: 'ENDED',
    refusals: [...UNSAFE, 'ROLE_REQUIRED', 'BODY_INVALID', 'NOT_FOUND'],
  },
  'POST /register': {
    id: 'register',
    tag: 'Accounts',
    summary: 'Make an account',
    description:
      'Only if REGISTRATION is open. It signs nobody in. A password has at least 8 characters, is not a common one, and does not contain the username.',
    status: 201,
    data: Registered,
    says: 'REGISTERED',
    bodyExample: { username: 'Zoë', password: 'three quiet ravens' },
    refusals: [
      ...BODY,
      ...(['USERNAME_INVALID', 'CROSS_SITE', 'REGISTRATION_CLOSED', 'USERNAME_TAKEN'] as const),
      ...(['PASSWORD_REFUSED', 'THROTTLED', 'BUSY', 'STORE_UNAVAILABLE'] as const),
    ],
  },
  'GET /accounts': {
    id: 'listAccounts',
    tag: 'Accounts',
    summary: 'List accounts (administrators)',
    description:
      'Sorted by name, a page at a time. `username` filters by the beginning of the name, in any spelling.',
    guarded: true,
    data: AccountPage,
    says: 'ACCOUNTS_LISTED',
    refusals: [...GUARDED, 'ROLE_REQUIRED', 'BODY_INVALID'],
  },
  'PATCH /accounts/:username': {
    id: 'changeAccount',
    tag: 'Accounts',
    summary: 'Change the role, disable or enable (administrators)',
    description:
      'Ends every sign-in of the account. The last administrator can be neither demoted nor disabled.',
    guarded: true,
    data: Account,
    says: 'ACCOUNT_CHANGED',
    bodyExample: { role: 'admin' },
    refusals: [...UNSAFE, ...BODY, 'ROLE_REQUIRED', 'NOT_FOUND', 'LAST_ADMIN'],
  },
  'POST /password': {
    id: 'changePassword',
    tag: 'Accounts',
    summary: 'Change your own password',
    description: 'Ends all your other sign-ins.',
    guarded: true,
    authType: 'any',
    says: 'PASSWORD_CHANGED',
    bodyExample: { current_password: 'user123', new_password: 'three quiet ravens' },
    refusals: [...UNSAFE, ...BODY, 'CREDENTIALS_REFUSED', 'PASSWORD_REFUSED', 'THROTTLED', 'BUSY'],
  },
}
