import type { Exchange } from './exchange.js'
import type { Text } from './text.js'
import type { Lab } from './world.js'

export type { Exchange } from './exchange.js'
export type { Text } from './text.js'
export type { Lab } from './world.js'

/** One of several options. The first one is the default. */
export interface Choice {
  readonly id: string
  readonly label: Text
  readonly options: readonly { readonly id: string; readonly text: Text }[]
}

/** One character of the run's own credential, replaced. */
export interface Edit {
  /** The position, from 0. */
  readonly at: number
  /** One printable ASCII character. */
  readonly to: string
}

export interface Outcome {
  /** The id of the right prediction. */
  readonly right: string
  readonly exchanges: readonly Exchange[]
  /** Two exchanges to show side by side, by their positions. */
  readonly compare: readonly [number, number] | null
  /** What the exchanges alone do not show: a decoded credential, a stored record. */
  readonly findings: readonly { readonly label: Text; readonly value: string }[]
  /** One sentence. */
  readonly verdict: Text
  /** A bash script that reproduces it on the running server at `$BASE`. It signs in by itself. */
  readonly curl: string
}

/** What the page shows before a run. */
export interface Description {
  /** In kebab case, as in the address. */
  readonly name: string
  readonly title: Text
  /** The tutorials' claim that the experiment examines, in our words. */
  readonly claim: Text
  readonly question: Text
  readonly predictions: readonly { readonly id: string; readonly text: Text }[]
  /** May be empty. */
  readonly choices: readonly Choice[]
  /** Whether the learner may change one character of the credential, which is the value of the first finding. */
  readonly edit?: 'credential'
  /** What to try next. `experiment` is the name of another one, `path` a page of the lab to open in this browser. */
  readonly next: readonly { readonly text: Text; readonly experiment?: string; readonly path?: string }[]
}

export interface Experiment extends Description {
  /** @throws BODY_INVALID for an edit behind the end of the credential */
  run(lab: Lab, choices: Readonly<Record<string, string>>, edit: Edit | null): Promise<Outcome>
}
