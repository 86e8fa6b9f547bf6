import createError from '@fastify/error'

/*
 * Every error of the suite. Codes are stable. A message tells a client nothing that helps an attacker; the internal
 * reason goes to the log as `cause`.
 */

const define = (code: string, message: string, status: number) => createError(code, message, status)

/** The guard's option `unauthenticatedStatus` sets the status of these six, and of the two below. Defaults to 401. */
export const NotSignedIn = define('NOT_SIGNED_IN', 'You are not signed in.', 401)
export const TokenExpired = define('TOKEN_EXPIRED', 'The access token has expired.', 401)
export const TokenInvalid = define('TOKEN_INVALID', 'The access token is not valid.', 401)
export const CredentialExpired = define('CREDENTIAL_EXPIRED', 'The credential has expired.', 401)
export const CredentialInvalid = define('CREDENTIAL_INVALID', 'The credential is not valid.', 401)
export const SignedOut = define('SIGNED_OUT', 'This sign-in was ended.', 401)

/** RFC 9449 §7.1 and §8. At a login and a refresh, their status is 400 (§5). */
export const ProofInvalid = define('PROOF_INVALID', 'The DPoP proof is missing or not valid.', 400)
export const ProofNonceRequired = define(
  'PROOF_NONCE_REQUIRED',
  'The DPoP proof needs the nonce of this answer: repeat the request with it.',
  400,
)

/** Always 403. A 401 would ask for other credentials, and these are genuine. */
export const DeviceProofRequired = define(
  'DEVICE_PROOF_REQUIRED',
  'This sign-in needs the proof of the device that it is bound to.',
  403,
)

export const CredentialAmbiguous = define(
  'CREDENTIAL_AMBIGUOUS',
  'The request has two credentials, or a malformed Authorization header.',
  400,
)
export const HostAmbiguous = define('HOST_AMBIGUOUS', 'The Host header is sent twice.', 400)
export const CredentialsRefused = define('CREDENTIALS_REFUSED', 'Wrong username or password.', 401)
export const RefreshRefused = define('REFRESH_REFUSED', 'The refresh token is not valid.', 401)
export const RoleRequired = define('ROLE_REQUIRED', 'Your role does not allow this.', 403)
export const SignInTooOld = define(
  'SIGN_IN_TOO_OLD',
  'This needs a recent sign-in: give your password again.',
  403,
)
export const FactorRequired = define('FACTOR_REQUIRED', 'This action needs another factor.', 403)
export const NotAllowed = define('NOT_ALLOWED', 'You are not allowed to do this.', 403)
export const ModeRequired = define('MODE_REQUIRED', 'This way of signing in does not allow this.', 403)
export const ScopeRequired = define('SCOPE_REQUIRED', 'This credential lacks a scope that this needs.', 403)
export const ApiKeyLimit = define('API_KEY_LIMIT', 'This account has as many API keys as it may.', 409)
export const CrossSite = define('CROSS_SITE', 'The request came from another site.', 403)
export const Prefetch = define('PREFETCH', 'A prefetch never signs anybody out.', 403)
export const UsernameInvalid = define(
  'USERNAME_INVALID',
  'A username is 1 to 64 visible characters, with single spaces between them.',
  400,
)
export const DisplayNameInvalid = define(
  'DISPLAY_NAME_INVALID',
  'A display name is 1 to 64 characters, at least one of them visible.',
  400,
)
export const EmailInvalid = define(
  'EMAIL_INVALID',
  'This is no e-mail address that mails can be sent to.',
  400,
)
const FactorAsked = define('SECOND_FACTOR_REQUIRED', 'This account needs its second factor too.', 401)
/** How to finish a sign-in whose password was right. */
export interface SecondFactorData {
  /** Names the pending sign-in. In cookie and session mode it works only together with the cookie `pending`. */
  readonly pending: string
  /** The kinds of factors that the server accepts for the account. */
  readonly factors: readonly ('totp' | 'passkey' | 'recovery_code')[]
  /** In seconds. */
  readonly expires_in: number
}
/** The error handler must send `data` to the client. In a reset of a password, `data` has only the factors. */
export class SecondFactorRequired extends FactorAsked {
  constructor(readonly data: Pick<SecondFactorData, 'factors'> & Partial<SecondFactorData>) {
    super()
  }
}
export const FactorRefused = define('FACTOR_REFUSED', 'The second factor was refused.', 401)
export const FactorLimit = define(
  'FACTOR_LIMIT',
  'This account has reached the maximum number of factors.',
  409,
)
export const CodeRefused = define('CODE_REFUSED', 'The code is wrong or has expired.', 401)
export const ResetRefused = define('RESET_REFUSED', 'The link is not valid any more.', 401)
export const RegistrationClosed = define('REGISTRATION_CLOSED', 'Nobody can register here.', 403)
export const UsernameTaken = define('USERNAME_TAKEN', 'This username is taken.', 409)
const PasswordRefusal = define('PASSWORD_REFUSED', 'This password cannot be used: %s.', 422)
/** The client receives the reason: `too_short`, `too_long`, `common`, `like_username`. */
export class PasswordRefused extends PasswordRefusal {
  constructor(readonly reason: string) {
    super(reason)
  }
}
export const LastAdmin = define('LAST_ADMIN', 'There must be another administrator first.', 409)
const Throttling = define('THROTTLED', 'Too many failed attempts. Try again later.', 429)
/** `retryAfter` is in whole seconds (RFC 6585 §4, RFC 9110 §10.2.3). */
export class Throttled extends Throttling {
  readonly headers: { readonly 'retry-after': string }

  constructor(readonly retryAfter: number) {
    super()
    this.headers = { 'retry-after': String(retryAfter) }
  }
}
export const Busy = define('BUSY', 'Too many sign-ins at once. Try again shortly.', 503)
export const StoreUnavailable = define(
  'STORE_UNAVAILABLE',
  'The service cannot answer now. Try again shortly.',
  503,
)

// Mistakes of the application. They fail loudly, so that developers find them before a deployment.

/** plugins/identity.ts makes the message. */
export const IdentityUnguarded = define('IDENTITY_UNGUARDED', '%s', 500)
export const SessionNotLoaded = define(
  'SESSION_NOT_LOADED',
  'request.session was read on a route that does not use the session.',
  500,
)
export const SessionDataInvalid = define('SESSION_DATA_INVALID', 'The session cannot hold %s: %s.', 500)
export const ClaimSensitive = define(
  'CLAIM_SENSITIVE',
  'A credential may not carry %s: whoever holds it can read it.',
  500,
)
export const ClaimInvalid = define('CLAIM_INVALID', 'The claim %s cannot be carried: %s.', 500)
export const EpochPassed = define(
  'EPOCH_PASSED',
  'The account was signed in under an epoch that is over: verify and find must hand on the raised one.',
  500,
)
export const ModeUnknown = define('MODE_UNKNOWN', 'No mode named %s is registered.', 500)
export const OptionInvalid = define('OPTION_INVALID', 'The option %s %s.', 500)
export const DependencyMissing = define('DEPENDENCY_MISSING', '%s needs the package %s: npm install %s', 500)
/** The environment is malformed or unsafe; the message names the variable. */
export const ConfigInvalid = define('CONFIG_INVALID', '%s', 500)

// In seconds (RFC 9110 §10.2.3).
for (const later of [StoreUnavailable, Busy]) {
  Object.assign(later.prototype, { headers: { 'retry-after': '1' } })
}
