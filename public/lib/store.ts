import type {
  AccountPage,
  AccountShown,
  ApiKey,
  Inspection,
  MadeKey,
  Mode,
  Settings,
  SignIn,
  User,
} from './answers.js'
import type { Failure } from './api.js'
import type { Factor, NewTotp, SecondStep } from './factor-answers.js'
import { repaint, repaintSoon } from './painting.js'

/** The place of a failure or a notice. */
export type Place =
  | 'page'
  | 'sign-in'
  | 'register'
  | 'me'
  | 'profile'
  | 'devices'
  | 'keys'
  | 'password'
  | 'accounts'
  | 'inspector'
  | 'forgotten'
  | 'address'
  | 'factors'
  | 'second-step'
  | 'step-up'

export interface State {
  readonly settings: Settings | null
  /** The chosen way of signing in. */
  readonly chosen: Mode
  /** A sign-in that had the right password and waits for the second factor. */
  readonly second: SecondStep | null
  /** The username for the sign-in form, which the page shows again after the second step. */
  readonly triedName: string
  readonly me: { readonly user: User; readonly mode: Mode } | null
  readonly devices: readonly SignIn[] | null
  readonly keys: readonly ApiKey[] | null
  /** The key that was just made. Only the page has it. */
  readonly newKey: MadeKey | null
  readonly factors: readonly Factor[] | null
  /** The new secret, until a code confirms it. */
  readonly newTotp: NewTotp | null
  /** The new recovery codes. Only this page has them. */
  readonly newCodes: readonly string[] | null
  /** The id of the factor whose name is being changed. */
  readonly renaming: string | null
  readonly accounts: AccountPage | null
  /** The account that an administrator looks at. */
  readonly account: AccountShown | null
  /** How many sign-ins are shown. */
  readonly devicesShown: number
  /** The part that a narrow screen shows. */
  readonly view: 'page' | 'inspector'
  /** The searched beginning of account names. */
  readonly filter: string
  readonly inspection: Inspection | null
  readonly failures: Readonly<Partial<Record<Place, Failure>>>
  readonly notices: Readonly<Partial<Record<Place, string>>>
  /** Whether a call that the user started is under way. */
  readonly busy: boolean
  /** The id of the button that waits for a second click. */
  readonly confirming: string | null
}

const NOBODY = {
  triedName: '',
  me: null,
  devices: null,
  keys: null,
  newKey: null,
  factors: null,
  newTotp: null,
  newCodes: null,
  renaming: null,
  accounts: null,
  account: null,
  devicesShown: 5,
  view: 'page',
  confirming: null,
  filter: '',
  inspection: null,
} as const

let current: State = {
  ...NOBODY,
  settings: null,
  second: null,
  chosen: 'cookie',
  failures: {},
  notices: {},
  busy: false,
}

const painters = new Set<() => void>()

function paintAll(): void {
  for (const paint of painters) paint()
}

export const state = (): State => current

/** Whether that person is still signed in here. Otherwise a late answer about them must not be shown. */
export const isStill = (me: State['me']): boolean => me !== null && current.me === me

/** @returns a function that stops it */
export function onChange(paint: () => void): () => void {
  painters.add(paint)
  return () => painters.delete(paint)
}

/**
 * Changes the state and repaints the page. The first and the last change of an action are painted at once, and those
 * between with the next frame, since one action makes several.
 */
export function update(change: Partial<State>): void {
  const { busy } = current
  current = { ...current, ...change }
  if (busy && current.busy) repaintSoon(paintAll)
  else repaint(paintAll)
}

/** The state without a signed-in user. */
export function forgetPerson(change: Partial<State> = {}): void {
  update({ ...NOBODY, failures: {}, notices: {}, ...change })
}
