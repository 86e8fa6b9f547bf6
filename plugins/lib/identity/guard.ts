import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AuthMode, Clock, Identity, MaybePromise, ModeName, Resolution } from '../contract.js'
import { ModeRequired, RoleRequired, SignInTooOld } from '../errors.js'
import { forbidCaching } from '../http/no-store.js'
import type { Csrf } from '../http/same-origin.js'
import type { SignIns } from '../sign-ins/contract.js'
import { isPast, type Marks } from '../sign-ins/marks.js'
import { ABSENT } from '../verified/resolutions.js'
import { Recognised } from '../verified/verified.js'
import { kCaller, kRefused } from './caller.js'
import { checkGuardOptions, type GuardOptions, type GuardRules } from './guard-options.js'
import { type Refused, refusal, type UnauthenticatedStatus } from './refusals.js'
import {
  continueSearch,
  endsSearch,
  type Found,
  NOBODY,
  type OnRefused,
  type RefusalPolicy,
} from './search.js'

export type { GuardOptions }

/** Works as `preHandler`, and unchanged as `onRequest`, where nobody unauthenticated has a body parsed. */
export type Guard = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/** What all guards of an application share. */
export interface GuardSettings {
  /** undefined: `stop`, and for optional guards past a refused ambient credential. */
  readonly onRefused: OnRefused | undefined
  readonly unauthenticatedStatus: UnauthenticatedStatus
  readonly clock: Clock
  /** The registered modes by these names, in the order of registration; all of them without names. */
  selectModes(names?: readonly ModeName[]): readonly AuthMode[]
}

interface Plan extends Omit<GuardRules, 'onRefused'> {
  readonly policy: RefusalPolicy
  readonly status: UnauthenticatedStatus
  readonly clock: Clock
  /** Those to ask. None until the application is ready. */
  asked: readonly AuthMode[]
  /** Null in an application whose modes keep no records. */
  signIns: SignIns | null
  readonly csrf: Csrf
}

function makePlan({ csrf }: FastifyInstance, options: GuardOptions, settings: GuardSettings): Plan {
  const rules = checkGuardOptions(options)
  const { unauthenticatedStatus: status, clock } = settings
  const policy = rules.onRefused ?? settings.onRefused ?? (rules.optional ? 'past_ambient' : 'stop')
  return { ...rules, policy, status, clock, asked: [], signIns: null, csrf }
}

/** Refuses a caller who is known but not allowed. */
function checkAllowed(plan: Plan, identity: Identity): void {
  if (plan.modes && !plan.modes.includes(identity.mode)) throw new ModeRequired()
  if (plan.roles && !plan.roles.includes(identity.role)) throw new RoleRequired()
  if (plan.ageMax !== null && !isRecent(identity, plan.ageMax, plan.clock())) throw new SignInTooOld()
}

/**
 * Times are in ms. A mode that says no time, or none that is a number, is not recent; nor is one further ahead than
 * it might be behind, for clocks disagree by less.
 */
function isRecent({ authTime }: Identity, ageMax: number, now: number): boolean {
  return Math.abs(now - authTime) <= ageMax
}

/** The refusal that counts: the first one that ends a search, or else the first. */
function decisive({ policy }: Plan, refused: readonly Refused[]): Refused | undefined {
  return refused.find(({ mode }) => endsSearch(policy, mode)) ?? refused[0]
}

/** True where the caller may go on as nobody. */
function mayBeNobody({ optional, policy }: Plan, refused: Refused | undefined): boolean {
  return optional && !(refused && endsSearch(policy, refused.mode))
}

/** @param marks of a credential that is kept, whose identity is frozen */
function admit(
  plan: Plan,
  request: FastifyRequest,
  mode: AuthMode,
  identity: Identity,
  marks: Marks | undefined,
  now: number,
): void {
  // Of the mode that recognised the caller, not of the headers that came: junk beside a cookie skips nothing.
  if (mode.ambient) plan.csrf.checkAmbient(request)
  checkAllowed(plan, identity)
  if (!marks || isPast(marks.seenAt, now)) plan.signIns?.noteSeen(identity, marks, now)
  request[kCaller] = marks ? identity : Object.freeze(identity)
}

function conclude(plan: Plan, request: FastifyRequest, found: Found, now: number): void {
  const { identity, mode, refused, marks } = found
  if (identity && mode) admit(plan, request, mode, identity, marks, now)
  else goOnAsNobody(plan, request, refused)
}

function goOnAsNobody(plan: Plan, request: FastifyRequest, refused: readonly Refused[]): void {
  const decided = decisive(plan, refused)
  if (decided) request[kRefused] = decided.code
  if (!mayBeNobody(plan, decided)) throw refusal(plan.status, plan.asked, refused, decided)
  request[kCaller] = null
}

/** The search beyond what one look at a mode's memory can say. */
function search(
  plan: Plan,
  request: FastifyRequest,
  mode: AuthMode,
  resolution: MaybePromise<Resolution>,
  index: number,
  now: number,
): MaybePromise<void> {
  const found = continueSearch(resolution, mode, request, plan.asked, plan.policy, now, index)
  if (found instanceof Promise) return found.then((late) => conclude(plan, request, late, plan.clock()))
  return conclude(plan, request, found, now)
}

/** Admits or throws; a promise only where a mode had to ask its store. */
function judge(plan: Plan, request: FastifyRequest): MaybePromise<void> {
  const caller = request[kCaller]
  // A caller whom an earlier guard recognised is tested, never looked for again: two guards, one person.
  // Where one found nobody, this one looks for itself: it may ask other modes, or mind a bad credential.
  if (caller) return checkAllowed(plan, caller)
  const { asked } = plan
  const now = plan.clock()
  // Nearly every request ends here: most modes find nothing, and one remembers the credential. Each call that
  // could be left out was worth leaving out.
  let index = 0
  for (const mode of asked) {
    const resolution = mode.resolve(request, now)
    if (resolution instanceof Recognised)
      return admit(plan, request, mode, resolution.identity, resolution.marks, now)
    if (resolution !== ABSENT) return search(plan, request, mode, resolution, index, now)
    index++
  }
  return conclude(plan, request, NOBODY, now)
}

/** `done` lets a request pass when it is handed nothing: what was thrown must be an error, whatever it is. */
function refuse(request: FastifyRequest, done: HookHandlerDoneFunction, thrown: unknown): void {
  request[kCaller] ??= null
  done(thrown instanceof Error ? thrown : new Error('a mode threw what is no error', { cause: thrown }))
}

function runGuard(
  plan: Plan,
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  forbidCaching(reply)
  let judged: MaybePromise<void>
  try {
    judged = judge(plan, request)
  } catch (thrown) {
    refuse(request, done, thrown)
    return
  }
  if (judged instanceof Promise) {
    judged.then(
      () => done(),
      (thrown) => refuse(request, done, thrown),
    )
  } else done()
}

/**
 * A guard for routes. Its modes are looked up once the application is ready, so that a guard may be made
 * before the modes are registered.
 */
export function createGuard(app: FastifyInstance, settings: GuardSettings, options: GuardOptions): Guard {
  const plan = makePlan(app, options, settings)
  app.addHook('onReady', async function selectGuardModes() {
    plan.asked = settings.selectModes(plan.modes ?? undefined)
    if (app.hasDecorator('signIns')) plan.signIns = app.signIns
  })
  return function identityGuard(request, reply, done) {
    runGuard(plan, request, reply, done)
  }
}
