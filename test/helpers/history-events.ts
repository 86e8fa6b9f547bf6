import type { ModeName } from '../../plugins/index.js'

/** The suite's own default, in ms. */
export const GRACE = 10_000

export type Kind =
  | 'log in'
  | 'read'
  | 'write'
  | 'refresh'
  | 'log out'
  | 'end others'
  | 'change password'
  | 'list'

/** A credential of a sign-in, and when it expires (ms). Sessions outlive every history. */
export interface Credential {
  readonly headers: Readonly<Record<string, string>>
  readonly until: number
}

/** A sign-in whose login was answered. */
export interface SignIn {
  readonly id: string
  readonly name: string
  readonly account: string
  readonly mode: ModeName
  /** The epoch that was read with the password. */
  readonly epoch: number
  readonly login: Event
  readonly credentials: Credential[]
  /** Its refresh tokens by their counters. */
  readonly tokens: string[]
}

/**
 * One request. `start` and `end` are places in the order of all that the clients see; what is still open, or
 * has never come about, is at infinity. `startedAt` and `endedAt` are the clock's, in ms.
 */
export interface Event {
  readonly kind: Kind
  /** The instance that was asked. */
  readonly on: number
  readonly account: string
  readonly signIn: SignIn | null
  readonly start: number
  readonly startedAt: number
  end: number
  endedAt: number
  /** From when on the other instance has heard of all that was stored for this one. */
  heard: number
  status: number
  code: string | null
  /** When the credential that was sent expires (ms). */
  readonly until: number
  /** refresh: the counters of the token that was presented, and of the one that was answered. */
  readonly presented: number
  successor: number
  /** log in: the sign-in whose credential was sent, which ends. */
  readonly replaced: SignIn | null
  /** write: what was written. read: what was there. list: the ids. */
  readonly key: string
  found: readonly string[]
  /** change password: the epoch that it made. */
  epoch: number
}

/** An alarm: where in the order it was, and when (ms). */
export interface Alarm {
  readonly signInId: string
  readonly at: number
  readonly now: number
}

/** What a history has come to. */
export interface Outcome {
  readonly events: readonly Event[]
  readonly signIns: readonly SignIn[]
  readonly alarms: readonly Alarm[]
  /** Ids of the sign-ins whose sessions are still stored, after all were ended. */
  readonly left: ReadonlySet<string>
}

/** One line for people. */
export function describe(event: Event): string {
  const { kind, on, signIn, account, start, end, startedAt, endedAt, status, code } = event
  const refresh = kind === 'refresh' ? ` ${event.presented} -> ${event.successor}` : ''
  const replaced = event.replaced ? ` for ${event.replaced.name}` : ''
  const times = startedAt === endedAt ? `${startedAt / 1000}` : `${startedAt / 1000}..${endedAt / 1000}`
  const rest = [event.key, event.found.join(','), event.epoch || '', code ?? ''].filter(Boolean).join(' ')
  return `${start}-${end} (heard ${event.heard}, ${times} s) ${kind} ${signIn?.name ?? account}${refresh}${replaced} on ${on}: ${status} ${rest}`
}
