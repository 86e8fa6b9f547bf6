import type { Description, Outcome } from './answers.js'
import type { Fault } from './api.js'

/** A change of one character of the credential. */
export interface Edit {
  readonly at: number
  readonly to: string
}

export interface Ran {
  readonly outcome: Outcome
  /** The id of the prediction that was chosen before the run. */
  readonly expected: string
  readonly edit: Edit | null
}

export interface State {
  /** The part of the address behind `#`: the name of an experiment, of the page of claims, or empty. */
  readonly name: string
  readonly experiments: readonly Description[] | null
  /** The id of the chosen prediction, or empty. */
  readonly expected: string
  /** The chosen options. The first one of each choice is the default. */
  readonly choices: Readonly<Record<string, string>>
  readonly ran: Ran | null
  /** The credential of the outcome as the learner has changed it. */
  readonly draft: string | null
  readonly fault: Fault | null
  /** What is wrong with the input. */
  readonly wrong: 'no-prediction' | 'not-one-character' | null
  readonly busy: boolean
}

export const FRESH = { expected: '', choices: {}, ran: null, draft: null, fault: null, wrong: null } as const

let current: State = { ...FRESH, name: '', experiments: null, busy: false }
let painter = () => {}

export const state = (): State => current

export function onChange(paint: () => void): void {
  painter = paint
}

/** Changes the state without a repaint: the control itself already shows the change. */
export function note(change: Partial<State>): void {
  current = { ...current, ...change }
}

/** Changes the state and repaints the page. */
export function update(change: Partial<State>): void {
  note(change)
  painter()
}

/** The experiment of the address. */
export const experiment = (): Description | null =>
  current.experiments?.find(({ name }) => name === current.name) ?? null
