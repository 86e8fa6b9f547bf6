import type { TSchema } from 'typebox'
import { LogoutBody } from '../logout.js'
import { ACCOUNT_OPERATIONS } from './account-operations.js'
import { BODY, GUARDED, LOGIN, LOGOUT, UNSAFE } from './failures.js'
import type { Operation } from './operation.js'
import { Ended, Exposition, Inspection, KeySet, Settings, SignIns, TokenPair, User } from './schemas.js'

type Mode = 'token' | 'session' | 'cookie'

const login = (id: string, mode: Mode, gives: string, data?: TSchema): Operation => ({
  id,
  tag: 'Signing in',
  summary: `Sign in by ${mode}`,
  description: `${gives} It ends the sign-in of the request’s own credential of this mode.`,
  authType: mode,
  says: 'SIGNED_IN',
  bodyExample: { username: 'user1', password: 'user123', ...(mode === 'token' ? {} : { remember: true }) },
  ...(data ? { data } : {}),
  refusals: LOGIN,
})

const logout = (id: string, mode: Mode, description: string, how = ''): Operation => ({
  id,
  tag: 'Signing in',
  summary: `Sign out by ${mode}${how}`,
  description: `${description} A second sign-out, or one without a credential, answers 200 and does nothing.`,
  authType: mode,
  says: 'LOGGED_OUT',
  ...(mode === 'token' ? { takes: mode } : {}),
  refusals: LOGOUT,
})

const BY_LINK = ', by a link'
const COOKIE_LOGOUT = 'Ends the sign-in and clears the cookie.'
const SESSION_LOGOUT = 'Ends the sign-in, deletes the session and clears the cookie.'
const TOKEN_LOGOUT =
  'Ends the sign-in of the access token. The access token and the refresh token are then refused.'

/** By method and path, as the routes are registered. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  'POST /login_cookie': login(
    'loginByCookie',
    'cookie',
    'Sets the signed auth cookie, and a cookie that identifies the device to the rate limit.',
  ),
  'POST /login_session': login(
    'loginBySession',
    'session',
    'Sets the session cookie with a new id, and a cookie that identifies the device to the rate limit.',
  ),
  'POST /login_token': login(
    'loginByToken',
    'token',
    'Answers with a pair of tokens, and sets no cookie.',
    TokenPair,
  ),
  'POST /refresh_token': {
    id: 'refreshToken',
    tag: 'Signing in',
    summary: 'Exchange a refresh token for a new pair',
    description:
      'A retry within the grace period gets the same new pair again. Any older refresh token counts as theft and ends the sign-in.',
    data: TokenPair,
    authType: 'token',
    says: 'REFRESHED',
    bodyExample: { refresh_token: 'v1.7FrCmMBA…' },
    refusals: [...BODY, 'REFRESH_REFUSED', 'CROSS_SITE', 'THROTTLED', 'STORE_UNAVAILABLE'],
  },
  'POST /logout_cookie': logout('logoutCookie', 'cookie', COOKIE_LOGOUT),
  'GET /logout_cookie': logout('logoutCookieByLink', 'cookie', COOKIE_LOGOUT, BY_LINK),
  'POST /logout_session': logout('logoutSession', 'session', SESSION_LOGOUT),
  'GET /logout_session': logout('logoutSessionByLink', 'session', SESSION_LOGOUT, BY_LINK),
  'POST /logout_token': {
    ...logout(
      'logoutToken',
      'token',
      `${TOKEN_LOGOUT} It also accepts an expired access token, or any refresh token of the sign-in, as { refresh_token } in a JSON body.`,
    ),
    body: LogoutBody,
    bodyExample: { refresh_token: 'v1.7FrCmMBA…' },
    refusals: [...LOGOUT, 'BODY_INVALID', 'BODY_TOO_LARGE'],
  },
  'GET /logout_token': logout('logoutTokenByLink', 'token', TOKEN_LOGOUT, BY_LINK),
  'GET /user_info': {
    id: 'userInfo',
    tag: 'Who am I',
    summary: 'Get the caller’s account and mode',
    description: 'Tries token, session and cookie, in this order. A bad credential does not end the search.',
    guarded: true,
    data: User,
    authType: 'any',
    says: 'RECOGNISED',
    refusals: GUARDED,
  },
  'GET /inspector': {
    id: 'inspect',
    tag: 'Who am I',
    summary: 'Show the content of the caller’s credential',
    description:
      'Not available in production. Shows the cookie’s attributes, the fields of the session and the sign-in. It never shows a credential.',
    guarded: true,
    data: Inspection,
    authType: 'any',
    says: 'INSPECTED',
    refusals: GUARDED,
  },
  'GET /sign_ins': {
    id: 'listSignIns',
    tag: 'Sign-ins',
    summary: 'List your sign-ins',
    description: 'Newest first, a page at a time.',
    guarded: true,
    data: SignIns,
    isPaged: true,
    says: 'LISTED',
    refusals: [...GUARDED, 'BODY_INVALID'],
  },
  'DELETE /sign_ins': {
    id: 'endSignIns',
    tag: 'Sign-ins',
    summary: 'Sign out everywhere, or everywhere else',
    guarded: true,
    data: Ended,
    says: 'ENDED',
    refusals: [...UNSAFE, 'BODY_INVALID'],
  },
  'DELETE /sign_ins/:id': {
    id: 'endSignIn',
    tag: 'Sign-ins',
    summary: 'End one of your sign-ins',
    guarded: true,
    data: Ended,
    says: 'ENDED',
    refusals: [...UNSAFE, 'BODY_INVALID', 'NOT_FOUND'],
  },
  ...ACCOUNT_OPERATIONS,
  'GET /settings': {
    id: 'settings',
    tag: 'Machinery',
    summary: 'Get the settings of this server',
    data: Settings,
    says: 'SETTINGS',
    refusals: [],
  },
  'GET /healthz': {
    id: 'healthz',
    tag: 'Machinery',
    summary: 'Check that the process runs',
    says: 'UP',
    refusals: [],
  },
  'GET /readyz': {
    id: 'readyz',
    tag: 'Machinery',
    summary: 'Check that the stores take writes',
    description:
      'Also checks the clock against Redis. All callers share the outcome, which is renewed at most once a second.',
    says: 'READY',
    refusals: ['STORE_UNAVAILABLE'],
  },
  'GET /metrics': {
    id: 'metrics',
    tag: 'Machinery',
    summary: 'Metrics for Prometheus',
    description: 'In production only with METRICS=true. Prometheus text format, version 0.0.4.',
    plain: { type: 'text/plain', schema: Exposition },
    refusals: [],
  },
  'GET /.well-known/jwks.json': {
    id: 'jwks',
    tag: 'Machinery',
    summary: 'The public keys of access tokens (RFC 7517)',
    plain: { type: 'application/jwk-set+json', schema: KeySet },
    refusals: [],
  },
}
