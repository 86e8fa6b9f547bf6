import fc from 'fast-check'
import type { ModeName } from '../../plugins/index.js'
import type { Kind } from './history-events.js'

/** One step: what a client asks for, and which of the calls that are held then go on. */
export interface Step {
  readonly kind: Exclude<Kind, 'list'> | 'retry' | 'steal' | 'touch' | 'pass'
  readonly client: number
  readonly account: number
  readonly mode: ModeName
  /** Of the client's sign-ins, the newest but `which`; of its credentials or refresh tokens, likewise `age`. */
  readonly which: number
  readonly age: number
  readonly on: number
  /** Uses what the step before used, if it is good for that: most of what can go wrong is between two. */
  readonly same: boolean
  readonly replaces: boolean
  readonly seconds: number
  /** How many calls of this step's request go on at once, however long others have been held. */
  readonly own: number
  /** Then these, of all that are held. */
  readonly picks: readonly number[]
  /** Then all that are left. */
  readonly settles: boolean
}

/** More calls than a request makes. */
const ALL = 1000

function weighted<T extends string | number>(weights: Partial<Record<T, number>>): fc.Arbitrary<T> {
  const names = Object.keys(weights) as T[]
  return fc.oneof(...names.map((name) => ({ weight: weights[name] ?? 0, arbitrary: fc.constant(name) })))
}

/** What histories of one kind are about. */
interface Theme {
  readonly modes: readonly ModeName[]
  readonly kinds: Partial<Record<Step['kind'], number>>
}

const ENDS = { 'log out': 2, 'end others': 1, 'change password': 2 }
const THEMES: readonly Theme[] = [
  { modes: ['session'], kinds: { ...ENDS, 'log in': 2, pass: 1, read: 3, write: 8, touch: 2 } },
  { modes: ['token'], kinds: { ...ENDS, 'log in': 2, pass: 2, read: 2, refresh: 6, retry: 4, steal: 2 } },
  // Logins that race what ends everything.
  {
    modes: ['token', 'session', 'cookie'],
    kinds: { 'log in': 5, 'change password': 4, 'end others': 1, read: 1, refresh: 2 },
  },
  {
    modes: ['token', 'session', 'cookie', 'cookie'],
    kinds: { ...ENDS, 'log in': 4, pass: 3, read: 6, write: 3, touch: 2, refresh: 3, retry: 2, steal: 1 },
  },
]

function stepOf({ modes, kinds }: Theme): fc.Arbitrary<Step> {
  return fc.record({
    kind: weighted(kinds),
    client: fc.nat(2),
    account: weighted({ 0: 5, 1: 1 }).map(Number),
    mode: fc.constantFrom(...modes),
    which: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }),
    age: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(2) }),
    on: fc.nat(1),
    same: fc.boolean(),
    replaces: fc.boolean(),
    seconds: fc.constantFrom(1, 9, 10, 11, 61, 1000, 1900),
    own: fc.oneof({ weight: 1, arbitrary: fc.nat(5) }, { weight: 1, arbitrary: fc.constant(ALL) }),
    picks: fc.array(fc.nat(5), { maxLength: 2 }),
    settles: fc.oneof(
      { weight: 5, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
  })
}

/** They begin with two logins, so that most have something to be about. */
function historiesOf(theme: Theme): fc.Arbitrary<Step[]> {
  const step = stepOf(theme)
  return fc
    .tuple(step, step, fc.array(step, { minLength: 4, maxLength: 24, size: 'max' }))
    .map(([first, second, rest]) => [
      { ...first, kind: 'log in', client: 0, account: 0, settles: true },
      { ...second, kind: 'log in', client: 1, account: 0, settles: true },
      ...rest,
    ])
}

/** What is generated: see THEMES. */
export const histories: fc.Arbitrary<Step[]> = fc.oneof(...THEMES.map(historiesOf))
