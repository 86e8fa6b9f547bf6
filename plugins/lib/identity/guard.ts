import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AuthMode, Clock, Identity, MaybePromise, ModeName } from '../contract.js'
import { FreshProofMissing, type FreshProofs, FreshProofWanted } from '../device/fresh.js'
import { ModeRequired, NotAllowed, OptionInvalid, RoleRequired } from '../errors.js'
import { forbidCaching } from '../http/no-store.js'
import type { SignIns } from '../sign-ins/contract.js'
import { isPast } from '../sign-ins/last-seen.js'
import { Verified } from '../verified/verified.js'
import { isAllowed } from './allow.js'
import { type Found, kCaller, kRefused } from './caller.js'
import { checkGuardOptions, type GuardOptions, type GuardRules } from './guard-options.js'
import { loginAddress } from './login-page.js'
import { isNobody, type Refused, refusedError, type UnauthenticatedStatus } from './refused.js'
import { requireScopes } from './scopes.js'
import { type OnRefused, Search } from './search.js'
import { requireStrength, type SecondFactors } from './strength.js'

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

/** Judges requests for one guard: admits the caller, admits the request without one, or throws. */
class Judge extends Search<void> {
  /** Null if the application's modes keep no records. */
  signIns: SignIns | null = null
  /** Null unless the rules want fresh proofs. */
  proofs: FreshProofs | null = null
  /** Null unless the rules want a recent sign-in, and the application knows who has a second factor. */
  secondFactors: SecondFactors | null = null

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
    const prove = () => this.proofs?.require(request, caller, this.settings.clock())
    const checking = this.checkAllowed(caller.identity)
    return checking ? checking.then(prove) : prove()
  }

  /** Refuses a caller who is known but not allowed. */
  private checkAllowed(identity: Identity): MaybePromise<void> {
    const { modes, roles, scopes, factors, ageMax } = this.rules
    if (modes && !modes.includes(identity.mode)) throw new ModeRequired()
    if (roles && !roles.includes(identity.role)) throw new RoleRequired()
    if (scopes) requireScopes(identity, scopes)
    if (factors === null && ageMax === null) return this.checkRule(identity)
    const checking = requireStrength(identity, this.rules, this.secondFactors, this.settings.clock)
    return checking ? checking.then(() => this.checkRule(identity)) : this.checkRule(identity)
  }

  private checkRule(identity: Identity): void {
    const { allow } = this.rules
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
    const checking = this.checkAllowed(identity)
    return checking ? checking.then(() => this.prove(request, found, now)) : this.prove(request, found, now)
  }

  private prove(request: FastifyRequest, found: Found, now: number): MaybePromise<void> {
    const proving = this.proofs?.require(request, found, now)
    return proving ? proving.then(() => this.admit(request, found, now)) : this.admit(request, found, now)
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
    if (rules.ageMax !== null) judge.secondFactors = app.secondFactors ?? null
    if (rules.isProofFresh) judge.proofs = freshProofsOf(app)
  })
  return function identityGuard(request, reply, done) {
    runGuard(judge, request, reply, done)
  }
}
