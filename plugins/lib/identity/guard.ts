import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AuthMode, Clock, Identity, MaybePromise, ModeName } from '../contract.js'
import { FreshProofMissing, type FreshProofs, FreshProofWanted } from '../device/fresh.js'
import { ModeRequired, NotAllowed, OptionInvalid, RoleRequired, SignInTooOld } from '../errors.js'
import { forbidCaching } from '../http/no-store.js'
import type { SignIns } from '../sign-ins/contract.js'
import { isPast } from '../sign-ins/last-seen.js'
import { Verified } from '../verified/verified.js'
import { type Found, kCaller, kRefused } from './caller.js'
import { checkGuardOptions, type GuardOptions, type GuardRules } from './guard-options.js'
import { loginAddress } from './login-page.js'
import { isNobody, type Refused, refusedError, type UnauthenticatedStatus } from './refused.js'
import { requireScopes } from './scopes.js'
import { type OnRefused, Search } from './search.js'

export type { GuardOptions }

/** Works as `preHandler`, and as `onRequest`. Then no body is parsed for an unauthenticated client. */
export type Guard = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/** Shared by all guards of an application. */
export interface GuardSettings {
  /** undefined: `stop`, or `past_ambient` in optional guards. */
  readonly onRefused: OnRefused | undefined
  readonly unauthenticatedStatus: UnauthenticatedStatus
  readonly clock: Clock
  /** The registered modes by these names, in the order of registration; all of them without names. */
  selectModes(names?: readonly ModeName[]): readonly AuthMode[]
}

/** Times are in ms. False for an `authTime` that is missing, not a number, or further ahead than clocks may differ. */
function isRecent({ authTime }: Identity, ageMax: number, now: number): boolean {
  return authTime !== undefined && Math.abs(now - authTime) <= ageMax
}

const AT_ONCE = 'must answer true or false at once, and throw nothing'

/** Only `true` counts: a promise is truthy, whatever its outcome. @throws OPTION_INVALID */
function isAllowed(allow: (identity: Identity) => unknown, identity: Identity): boolean {
  let answer: unknown
  try {
    answer = allow(identity)
  } catch (cause) {
    throw new OptionInvalid('allow', AT_ONCE, { cause })
  }
  if (typeof answer !== 'object' || answer === null || !('then' in answer)) return answer === true
  // A rejection that nobody handles would end the process.
  Promise.resolve(answer).catch(() => {})
  throw new OptionInvalid('allow', AT_ONCE)
}

/** Judges requests for one guard: admits the caller, admits the request without one, or throws. */
class Judge extends Search<void> {
  /** Null if the application's modes keep no records. */
  signIns: SignIns | null = null
  /** Null unless the rules want fresh proofs. */
  proofs: FreshProofs | null = null

  constructor(
    private readonly csrf: FastifyInstance['csrf'],
    private readonly settings: GuardSettings,
    readonly rules: GuardRules,
  ) {
    super(rules.onRefused ?? settings.onRefused ?? (rules.optional ? 'past_ambient' : 'stop'))
  }

  /** A promise only if a mode asks its store. */
  judge(request: FastifyRequest): MaybePromise<void> {
    const caller = request[kCaller]
    // If an earlier guard found the caller, only the rules are checked. If it found nobody, this guard searches with
    // its own modes and rules.
    return caller ? this.checkCaller(request, caller) : this.run(request, this.settings.clock())
  }

  private checkCaller(request: FastifyRequest, caller: Found): MaybePromise<void> {
    this.checkAllowed(caller.identity)
    return this.proofs?.require(request, caller, this.settings.clock())
  }

  /** Refuses a caller who is known but not allowed. */
  private checkAllowed(identity: Identity): void {
    const { modes, roles, scopes, ageMax, allow } = this.rules
    if (modes && !modes.includes(identity.mode)) throw new ModeRequired()
    if (roles && !roles.includes(identity.role)) throw new RoleRequired()
    if (scopes) requireScopes(identity, scopes)
    if (ageMax !== null && !isRecent(identity, ageMax, this.settings.clock())) throw new SignInTooOld()
    if (allow && !isAllowed(allow, identity)) throw new NotAllowed()
  }

  protected override found(
    request: FastifyRequest,
    mode: AuthMode,
    found: Found,
    now = this.settings.clock(),
  ): MaybePromise<void> {
    const { identity } = found
    if (!(found instanceof Verified)) Object.freeze(identity)
    // The mode that recognised the caller decides, not the headers. A junk token beside a cookie must not skip the
    // check.
    if (mode.ambient) this.csrf.checkAmbient(request)
    this.checkAllowed(identity)
    const proving = this.proofs?.require(request, found, now)
    if (proving) return proving.then(() => this.admit(request, found, now))
    this.admit(request, found, now)
  }

  private admit(request: FastifyRequest, found: Found, now: number): void {
    const verified = found instanceof Verified ? found : undefined
    if (!verified || isPast(verified.seenAt, now)) this.signIns?.noteSeen(found.identity, verified, now)
    request[kCaller] = found
  }

  protected override foundNobody(request: FastifyRequest, refused: readonly Refused[]): void {
    const ending = refused.find(({ mode }) => this.isEndedBy(mode))
    const decided = ending ?? refused[0]
    if (decided) request[kRefused] = decided.code
    if (ending || !this.rules.optional) {
      throw refusedError(this.settings.unauthenticatedStatus, this.modes, refused, decided)
    }
    request[kCaller] = null
  }
}

/** `done` without an error would admit the request, so a thrown value of any other kind is wrapped. */
function fail(
  { loginPage }: GuardRules,
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
  thrown: unknown,
): void {
  request[kCaller] ??= null
  if (thrown instanceof FreshProofWanted) {
    thrown.answer(reply)
    return
  }
  if (thrown instanceof FreshProofMissing) {
    done(thrown.refusal)
    return
  }
  const address = loginPage !== null && isNobody(thrown) ? loginAddress(request, loginPage) : null
  if (address !== null) {
    reply.redirect(address, 303)
    return
  }
  done(thrown instanceof Error ? thrown : new Error('a mode threw what is no error', { cause: thrown }))
}

function runGuard(
  judge: Judge,
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  forbidCaching(reply)
  let judged: MaybePromise<void>
  try {
    judged = judge.judge(request)
  } catch (thrown) {
    fail(judge.rules, request, reply, done, thrown)
    return
  }
  if (judged instanceof Promise) {
    judged.then(
      () => done(),
      (thrown) => fail(judge.rules, request, reply, done, thrown),
    )
  } else done()
}

/** @throws OPTION_INVALID */
function freshProofsOf(app: FastifyInstance): FreshProofs {
  if (!app.hasDecorator('deviceBinding')) {
    throw new OptionInvalid('proof', 'would do nothing: deviceBinding is not registered')
  }
  return app.deviceBinding.freshProofs
}

/** Makes a guard. It looks up its modes when the application is ready, because they may be registered after this call. */
export function createGuard(app: FastifyInstance, settings: GuardSettings, options: GuardOptions): Guard {
  const rules = checkGuardOptions(options)
  const judge = new Judge(app.csrf, settings, rules)
  app.addHook('onReady', async function selectGuardModes() {
    judge.modes = settings.selectModes(rules.modes ?? undefined)
    if (app.hasDecorator('signIns')) judge.signIns = app.signIns
    if (rules.isProofFresh) judge.proofs = freshProofsOf(app)
  })
  return function identityGuard(request, reply, done) {
    runGuard(judge, request, reply, done)
  }
}
