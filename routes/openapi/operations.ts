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
  description: `${gives} The sign-in that the request's own credential of this mode stood for is ended.`,
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
  description: `${description} Signing out twice, or without a credential, is 200 and does nothing.`,
  authType: mode,
  says: 'LOGGED_OUT',
  ...(mode === 'token' ? { takes: mode } : {}),
  refusals: LOGOUT,
})

const BY_LINK = ', by a link'
const COOKIE_LOGOUT = 'Ends the sign-in and clears the cookie.'
const SESSION_LOGOUT = 'Ends the sign-in, deletes the session and clears the cookie.'
const TOKEN_LOGOUT = 'Ends the sign-in of the access token: it and the refresh token are dead.'

/** By method and path, as the routes are registered. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  'POST /login_cookie': login(
    'loginByCookie',
    'cookie',
    'Sets the signed auth cookie, and a cookie by which the throttle knows the device.',
  ),
  'POST /login_session': login(
    'loginBySession',
    'session',
    'Sets the session cookie, with a new id each time, and a cookie by which the throttle knows the device.',
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
      'A retry within the grace gets the same pair’s successor again; a token that was used before that is theft, and ends the sign-in.',
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
      `${TOKEN_LOGOUT} An expired one will do, and so will any refresh token of the sign-in, as { refresh_token } in a JSON body.`,
    ),
    body: LogoutBody,
    bodyExample: { refresh_token: 'v1.7FrCmMBA…' },
    refusals: [...LOGOUT, 'BODY_INVALID', 'BODY_TOO_LARGE'],
  },
  'GET /logout_token': logout('logoutTokenByLink', 'token', TOKEN_LOGOUT, BY_LINK),
  'GET /user_info': {
    id: 'userInfo',
    tag: 'Who am I',
    summary: 'Who is asking, and how they were recognised',
    description: 'Tries token, session and cookie, in this order. A bad one does not end the search here.',
    guarded: true,
    data: User,
    authType: 'any',
    says: 'RECOGNISED',
    refusals: GUARDED,
  },
  'GET /inspector': {
    id: 'inspect',
    tag: 'Who am I',
    summary: 'What is known of the caller’s credential',
    description:
      'Not there in production. A cookie’s attributes, the named fields of a session, and the sign-in: one’s own, and never a credential.',
    guarded: true,
    data: Inspection,
    authType: 'any',
    says: 'INSPECTED',
    refusals: GUARDED,
  },
  'GET /sign_ins': {
    id: 'listSignIns',
    tag: 'Sign-ins',
    summary: 'Where am I signed in?',
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
    summary: 'End one sign-in of one’s own',
    guarded: true,
    data: Ended,
    says: 'ENDED',
    refusals: [...UNSAFE, 'BODY_INVALID', 'NOT_FOUND'],
  },
  ...ACCOUNT_OPERATIONS,
  'GET /settings': {
    id: 'settings',
    tag: 'Machinery',
    summary: 'What can be done here',
    data: Settings,
    says: 'SETTINGS',
    refusals: [],
  },
  'GET /healthz': {
    id: 'healthz',
    tag: 'Machinery',
    summary: 'Is the process up?',
    says: 'UP',
    refusals: [],
  },
  'GET /readyz': {
    id: 'readyz',
    tag: 'Machinery',
    summary: 'Do the stores take writes?',
    description:
      'And does the clock agree with that of Redis? The outcome is shared, and asked for at most once a second.',
    says: 'READY',
    refusals: ['STORE_UNAVAILABLE'],
  },
  'GET /metrics': {
    id: 'metrics',
    tag: 'Machinery',
    summary: 'What Prometheus reads',
    description: 'In production only where METRICS=true. In its text format, version 0.0.4.',
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
