import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { useAudit } from './audit.js'
import type {
  Account,
  AccountId,
  AuthModes,
  Clock,
  FactorMethod,
  GivenFactor,
  Identity,
  ModeName,
  RefusalCode,
  SignInOptions,
  StepUpOptions,
} from './lib/contract.js'
import { createKeyRing, type KeyRing } from './lib/credentials/keys.js'
import { IdentityUnguarded, OptionInvalid } from './lib/errors.js'
import { kBearerPrefixes } from './lib/http/bearer-prefixes.js'
import { finishAnswer } from './lib/http/before-answer.js'
import { kCookieNames } from './lib/http/cookie-names.js'
import { useCookieSerializer } from './lib/http/cookies.js'
import { safeNext } from './lib/http/safe-next.js'
import { isHandshake } from './lib/http/same-origin.js'
import { foundCaller, kCaller, kRefused, unguarded } from './lib/identity/caller.js'
import { createGuard, type Guard, type GuardOptions, type GuardSettings } from './lib/identity/guard.js'
import { checkOnRefused } from './lib/identity/guard-options.js'
import { createModeRegistry, type ModeRegistry } from './lib/identity/mode-registry.js'
import { kUnauthenticatedStatus, type UnauthenticatedStatus } from './lib/identity/refused.js'
import type { OnRefused } from './lib/identity/search.js'
import { kReply, rememberReply, signIn, signOut } from './lib/identity/sign-in.js'
import { stepUp } from './lib/identity/step-up.js'
import type { SecondFactors } from './lib/identity/strength.js'
import { checkClock, type Known, refuseUnknown } from './lib/options.js'

declare module 'fastify' {
  interface FastifyInstance {
    authModes: ModeRegistry
    /** The suite's keys, one for each purpose. */
    keyRing: KeyRing
    /** Milliseconds since 1970, injected. */
    identityClock: Clock
    /** Makes a guard: `{ preHandler: app.guard({ role: 'admin' }) }`. */
    guard(options?: GuardOptions): Guard
    /** The redirect target after a login: the path in `?next=`, or `/` if that path could lead to another server. */
    safeNext(request: Pick<FastifyRequest, 'query'>): string
    /** Tells which accounts have a second factor. For these, guards with `fresh` need two factors. */
    readonly secondFactors?: SecondFactors
  }
  interface FastifyRequest {
    /** The caller. @throws IDENTITY_UNGUARDED on a route without a guard, or if an optional guard found nobody */
    readonly identity: Identity
    /**
     * The caller, or null. It is null if an optional guard found nobody, if a guard refused the request, and if no
     * guard ran (an error handler after a body failed its validation, a 404, `onResponse`, `onRequestAbort`).
     * @throws IDENTITY_UNGUARDED in the handler and hooks of a route without a guard
     */
    readonly identityOrNull: Identity | null
    /** Why the credential was refused, so that a page can say "you were signed out". Null with a caller or no credential. */
    readonly refusedWith: RefusalCode | null
    /**
     * Signs in an account that the application has authenticated. Ends the sign-in of the request's own credential of that
     * mode. Cookie and session mode also end a sign-in that this request began before, and clear refused cookies of modes
     * that come before them.
     * @throws MODE_UNKNOWN, OPTION_INVALID, CLAIM_SENSITIVE, CLAIM_INVALID, EPOCH_PASSED, STORE_UNAVAILABLE
     */
    signIn<N extends ModeName>(
      mode: N,
      account: Account<AccountId>,
      options?: SignInOptions,
    ): Promise<AuthModes[N]>
    /**
     * Adds factors to the caller's sign-in, or makes it recent again. The application must have verified the factors. A
     * method without a time was given now. The sign-in keeps its id, its entry in the list, its binding, its open
     * connections and its absolute end. `request.identity` of this request does not change.
     * @returns the same as a sign-in by the caller's mode
     * @throws IDENTITY_UNGUARDED, OPTION_INVALID, MODE_REQUIRED for an API key, SIGNED_OUT if the sign-in has ended,
     * REFRESH_REFUSED, STORE_UNAVAILABLE
     */
    stepUp(
      factors: readonly (FactorMethod | GivenFactor)[],
      options?: StepUpOptions,
    ): Promise<AuthModes[ModeName]>
    /**
     * Ends the sign-in of the request's credential of this mode, and any sign-in that `signIn` began in this request.
     * Clears both credentials.
     * @returns whether there was a genuine credential
     * @throws MODE_UNKNOWN, CREDENTIAL_AMBIGUOUS, STORE_UNAVAILABLE
     */
    signOut(mode: ModeName): Promise<boolean>
  }
}

export type { ModeRegistry, SecondFactors }

export interface IdentityOptions {
  /** At least 32 bytes each. The first signs, all verify. */
  readonly secrets: readonly string[]
  /**
   * Whether a refused credential ends the search for the caller. Defaults to `stop`. In optional guards, defaults to `stop`
   * only for credentials that a client sends deliberately.
   */
  readonly onRefused?: OnRefused
  /** Defaults to 401. */
  readonly unauthenticatedStatus?: UnauthenticatedStatus
  readonly clock?: Clock
}

/** Whether no guard can run any more. Not `reply.sent`: the handler of a hijacked reply still runs. */
function isTooLateForGuards(request: FastifyRequest): boolean {
  return request.is404 || request.raw.aborted || request[kReply]?.raw.writableEnded === true
}

function readCaller(this: FastifyRequest): Identity | null {
  const caller = this[kCaller]
  if (caller !== undefined) return caller?.identity ?? null
  if (isTooLateForGuards(this)) return null
  throw new IdentityUnguarded(unguarded('identityOrNull'))
}

function readIdentity(this: FastifyRequest): Identity {
  const caller = this[kCaller]
  return (caller || foundCaller(this, 'identity')).identity
}

function readRefusal(this: FastifyRequest): RefusalCode | null {
  return this[kCaller] ? null : (this[kRefused] ?? null)
}

function settleFailure(request: FastifyRequest, reply: FastifyReply, _error: Error, done: () => void): void {
  // If the request failed before its guard ran, its error handler or a view may still read the caller.
  request[kCaller] ??= null
  // After a handshake Node no longer reads requests from the socket, so the client must not reuse it.
  if (isHandshake(request)) reply.header('connection', 'close')
  done()
}

const OPTIONS: Known<IdentityOptions> = {
  secrets: true,
  onRefused: true,
  unauthenticatedStatus: true,
  clock: true,
}

function checkOptions(options: IdentityOptions) {
  refuseUnknown(options, OPTIONS)
  const { onRefused, unauthenticatedStatus = 401, clock = Date.now } = options
  if (unauthenticatedStatus !== 401 && unauthenticatedStatus !== 403) {
    throw new OptionInvalid('unauthenticatedStatus', 'wants 401 or 403')
  }
  return {
    onRefused: onRefused === undefined ? undefined : checkOnRefused(onRefused),
    unauthenticatedStatus,
    clock: checkClock(clock),
  }
}

async function identity(app: FastifyInstance, options: IdentityOptions): Promise<void> {
  const { clock, ...answers } = checkOptions(options)
  const { registry, selectModes } = createModeRegistry(app)
  const settings: GuardSettings = Object.freeze({ ...answers, clock, selectModes })
  await useAudit(app, clock)
  await useCookieSerializer(app)
  app.decorate('keyRing', createKeyRing(options.secrets))
  app.decorate('identityClock', clock)
  app.decorate(kUnauthenticatedStatus, answers.unauthenticatedStatus)
  app.decorate(kCookieNames, new Set<string>())
  app.decorate(kBearerPrefixes, [])
  app.decorate('authModes', registry)
  app.decorate('guard', (guardOptions: GuardOptions = {}) => createGuard(app, settings, guardOptions))
  app.decorate('safeNext', safeNext)
  app.decorateRequest('identity', { getter: readIdentity })
  app.decorateRequest('identityOrNull', { getter: readCaller })
  app.decorateRequest('refusedWith', { getter: readRefusal })
  app.decorateRequest('signIn', signIn)
  app.decorateRequest('signOut', signOut)
  app.decorateRequest('stepUp', stepUp)
  app.addHook('onRequest', rememberReply)
  app.addHook('onError', settleFailure)
  app.addHook('onSend', finishAnswer)
}

export default fp(identity, {
  fastify: '5.x',
  name: 'fastify-identity-core',
  dependencies: ['fastify-identity-csrf'],
})
