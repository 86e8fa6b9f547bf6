import type { AccountPage, Inspection, Mode, Settings, SignIn, User } from './answers.js'
import type { Failure } from './api.js'

/** Where a failure or a notice is shown. */
export type Place = 'page' | 'sign-in' | 'register' | 'me' | 'devices' | 'password' | 'accounts' | 'inspector'

export interface State {
  readonly settings: Settings | null
  /** The way of signing in that is chosen. */
  readonly chosen: Mode
  readonly me: { readonly user: User; readonly mode: Mode } | null
  readonly devices: readonly SignIn[] | null
  readonly accounts: AccountPage | null
  /** How the names of those accounts begin. */
  readonly filter: string
  readonly inspection: Inspection | null
  readonly failures: Readonly<Partial<Record<Place, Failure>>>
  readonly notices: Readonly<Partial<Record<Place, string>>>
  /** Whether a call that somebody asked for is under way. */
  readonly busy: boolean
}

const NOBODY = { me: null, devices: null, accounts: null, filter: '', inspection: null } as const

let current: State = {
  ...NOBODY,
  settings: null,
  chosen: 'cookie',
  failures: {},
  notices: {},
  busy: false,
}

let painter = () => {}

export const state = (): State => current

export function onChange(paint: () => void): void {
  painter = paint
}

/** Changes the state, and shows it at once. */
export function update(change: Partial<State>): void {
  current = { ...current, ...change }
  painter()
}

/** Nobody is signed in any more. */
export function forgetPerson(change: Partial<State> = {}): void {
  update({ ...NOBODY, failures: {}, notices: {}, ...change })
}
