/** Every refusal code of the API, and its status. */
export const STATUSES = {
  BODY_INVALID: 400,
  CREDENTIAL_AMBIGUOUS: 400,
  /** These two: 403 at a guarded route. */
  PROOF_INVALID: 400,
  PROOF_NONCE_REQUIRED: 400,
  HOST_AMBIGUOUS: 400,
  USERNAME_INVALID: 400,
  DISPLAY_NAME_INVALID: 400,
  EMAIL_INVALID: 400,
  CREDENTIALS_REFUSED: 401,
  REFRESH_REFUSED: 401,
  SECOND_FACTOR_REQUIRED: 401,
  FACTOR_REFUSED: 401,
  CODE_REFUSED: 401,
  RESET_REFUSED: 401,
  NOT_SIGNED_IN: 403,
  TOKEN_EXPIRED: 403,
  TOKEN_INVALID: 403,
  CREDENTIAL_EXPIRED: 403,
  CREDENTIAL_INVALID: 403,
  SIGNED_OUT: 403,
  DEVICE_PROOF_REQUIRED: 403,
  ROLE_REQUIRED: 403,
  FACTOR_REQUIRED: 403,
  SIGN_IN_TOO_OLD: 403,
  MODE_REQUIRED: 403,
  SCOPE_REQUIRED: 403,
  CROSS_SITE: 403,
  PREFETCH: 403,
  REGISTRATION_CLOSED: 403,
  NOT_FOUND: 404,
  USERNAME_TAKEN: 409,
  API_KEY_LIMIT: 409,
  FACTOR_LIMIT: 409,
  LAST_ADMIN: 409,
  BODY_TOO_LARGE: 413,
  CONTENT_TYPE_UNSUPPORTED: 415,
  PASSWORD_REFUSED: 422,
  THROTTLED: 429,
  INTERNAL: 500,
  BUSY: 503,
  STORE_UNAVAILABLE: 503,
  STOPPING: 503,
} as const

export type ErrorCode = keyof typeof STATUSES

/** Refusals of a DPoP proof. */
export const PROOF: readonly ErrorCode[] = ['PROOF_INVALID', 'PROOF_NONCE_REQUIRED']

/** Refusals of a guarded route that recognises nobody. `THROTTLED`: too many unknown API keys came from one address. */
const NOBODY: readonly ErrorCode[] = [
  'CREDENTIAL_AMBIGUOUS',
  'HOST_AMBIGUOUS',
  'NOT_SIGNED_IN',
  'TOKEN_EXPIRED',
  'TOKEN_INVALID',
  'CREDENTIAL_EXPIRED',
  'CREDENTIAL_INVALID',
  'SIGNED_OUT',
  'DEVICE_PROOF_REQUIRED',
  ...PROOF,
  'THROTTLED',
  'STORE_UNAVAILABLE',
]

/** Refusals of a guarded route that API keys may use too. */
export const GUARDED: readonly ErrorCode[] = [...NOBODY, 'SCOPE_REQUIRED']

/** Refusals of a guarded route for people. */
export const PEOPLE: readonly ErrorCode[] = [...NOBODY, 'MODE_REQUIRED']

/** Refusals of a route for people that changes state. A browser may send such a request for another site. */
export const UNSAFE: readonly ErrorCode[] = [...PEOPLE, 'CROSS_SITE']

/** Refusals of a route for people that needs a recent sign-in. */
export const RECENT: readonly ErrorCode[] = [...UNSAFE, 'SIGN_IN_TOO_OLD', 'FACTOR_REQUIRED']

/** Refusals of a malformed body. */
export const BODY: readonly ErrorCode[] = ['BODY_INVALID', 'BODY_TOO_LARGE', 'CONTENT_TYPE_UNSUPPORTED']

export const LOGIN: readonly ErrorCode[] = [
  ...BODY,
  'HOST_AMBIGUOUS',
  'CREDENTIALS_REFUSED',
  'SECOND_FACTOR_REQUIRED',
  'CROSS_SITE',
  'THROTTLED',
  'BUSY',
  'STORE_UNAVAILABLE',
]

export const LOGOUT: readonly ErrorCode[] = [
  'CREDENTIAL_AMBIGUOUS',
  'HOST_AMBIGUOUS',
  'CROSS_SITE',
  'PREFETCH',
  'STORE_UNAVAILABLE',
]
