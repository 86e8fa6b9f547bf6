import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { AuthMode, Identity, MaybePromise, ModeName } from './contract.js'
import { ModeRequired, OptionInvalid, RoleRequired } from './errors.js'
import { type Refused, refusal, type UnauthenticatedStatus } from './refusals.js'
import { type Found, findCaller, type OnRefused } from './search.js'

/** What a guard asks for. Everything that is given must hold. */
export interface GuardOptions {
  /** Lets a caller without any credential pass: `request.identityOrNull` is null then. */
  readonly optional?: boolean
  /** One of these roles (`ROLE_REQUIRED`, 403). */
  readonly role?: string | readonly string[]
  /** Only these modes are asked; one that recognised the caller before must be among them (`MODE_REQUIRED`, 403). */
  readonly modes?: readonly ModeName[]
  /** Overrides the suite's setting for this guard. */
  readonly onRefused?: OnRefused
}

/** Works as `preHandler`, and unchanged as `onRequest`, where nobody unauthenticated has a body parsed. */
export type Guard = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void

/** What all guards of an application share. */
export interface GuardSettings {
  readonly onRefused: OnRefused
  readonly unauthenticatedStatus: UnauthenticatedStatus
  /** The registered modes by these names, in the order of registration; all of them without names. */
  selectModes(names?: readonly ModeName[]): readonly AuthMode[]
}

/** Where the caller is kept on the request. undefined: no guard ran. null: one did, and there is nobody. */
export const kCaller = Symbol('fastify-identity.caller')

declare module 'fastify' {
  interface FastifyRequest {
    [kCaller]: Identity | null | undefined
  }
}

interface Plan {
  readonly options: GuardOptions
  readonly roles: readonly string[] | null
  readonly onRefused: OnRefused
  readonly status: UnauthenticatedStatus
  modes: readonly AuthMode[]
}

function rolesOf({ role }: GuardOptions): readonly string[] | null {
  if (role === undefined) return null
  const roles = typeof role === 'string' ? [role] : [...role]
  // An empty list would refuse everybody, and a list of one `undefined` too: a mistake either way.
  if (roles.length === 0 || roles.some((name) => typeof name !== 'string' || name === '')) {
    throw new OptionInvalid('role', 'wants the name of a role, or several')
  }
  return roles
}

function makePlan(options: GuardOptions, settings: GuardSettings): Plan {
  const onRefused = options.onRefused ?? settings.onRefused
  return {
    options: Object.freeze({ ...options }),
    roles: rolesOf(options),
    onRefused,
    status: settings.unauthenticatedStatus,
    modes: [],
  }
}

/** Refuses a caller who is known but not allowed. */
function checkAllowed(plan: Plan, identity: Identity): void {
  const { modes } = plan.options
  if (modes && !modes.includes(identity.mode)) throw new ModeRequired()
  if (plan.roles && !plan.roles.includes(identity.role)) throw new RoleRequired()
}

/** True where the caller may go on as nobody. */
function mayBeNobody(plan: Plan, refused: readonly Refused[]): boolean {
  return plan.options.optional === true && (refused.length === 0 || plan.onRefused === 'next')
}

function admit(plan: Plan, request: FastifyRequest, found: Found): void {
  const { identity, mode, refused } = found
  if (!identity && !mayBeNobody(plan, refused)) throw refusal(plan.status, plan.modes, refused)
  // Of the mode that recognised the caller, not of the headers that came: junk beside a cookie skips nothing.
  if (mode?.ambient) request.server.csrf.checkAmbient(request)
  if (identity) checkAllowed(plan, identity)
  request[kCaller] = identity
}

/** A caller whom an earlier guard recognised is tested, never looked for again: two guards, one person. */
function admitAgain(plan: Plan, caller: Identity | null): void {
  if (caller) checkAllowed(plan, caller)
  else if (!plan.options.optional) throw refusal(plan.status, plan.modes, [])
}

/** Admits or throws; a promise only where a mode had to ask its store. */
function judge(plan: Plan, request: FastifyRequest): MaybePromise<void> {
  const caller = request[kCaller]
  if (caller !== undefined) return admitAgain(plan, caller)
  const found = findCaller(request, plan.modes, plan.onRefused)
  if (found instanceof Promise) return found.then((late) => admit(plan, request, late))
  return admit(plan, request, found)
}

/** `done` lets a request pass when it is handed nothing: what was thrown must be an error, whatever it is. */
function refuse(done: HookHandlerDoneFunction, thrown: unknown): void {
  done(thrown instanceof Error ? thrown : new Error('a mode threw what is no error', { cause: thrown }))
}

function runGuard(
  plan: Plan,
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  // What depends on who is asking must not be kept by a cache (RFC 9111 §5.2.2.5).
  reply.header('cache-control', 'no-store')
  let judged: MaybePromise<void>
  try {
    judged = judge(plan, request)
  } catch (thrown) {
    refuse(done, thrown)
    return
  }
  if (judged instanceof Promise) {
    judged.then(
      () => done(),
      (thrown) => refuse(done, thrown),
    )
  } else done()
}

/**
 * A guard for routes. Its modes are looked up once the application is ready, so that a guard may be made
 * before the modes are registered.
 */
export function createGuard(app: FastifyInstance, settings: GuardSettings, options: GuardOptions): Guard {
  const plan = makePlan(options, settings)
  app.addHook('onReady', async function selectGuardModes() {
    plan.modes = settings.selectModes(options.modes)
  })
  return function identityGuard(request, reply, done) {
    runGuard(plan, request, reply, done)
  }
}
