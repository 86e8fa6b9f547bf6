import type { Outcome } from '../../../routes/lab/experiment.js'
import { EXPERIMENTS } from '../../../routes/lab/experiments.js'
import { Lab } from '../../../routes/lab/world.js'

/** Every combination of an experiment's options. */
function combinations(choices: (typeof EXPERIMENTS)[number]['choices']): Record<string, string>[] {
  return choices.reduce<Record<string, string>[]>(
    (all, { id, options }) => all.flatMap((one) => options.map((option) => ({ ...one, [id]: option.id }))),
    [{}],
  )
}

export interface Ran {
  readonly name: string
  readonly chosen: Readonly<Record<string, string>>
  readonly outcome: Outcome
  readonly ids: readonly string[]
}

/** Runs experiments with every combination of options: all of them, or the named ones. */
export async function runAll(names = EXPERIMENTS.map(({ name }) => name)): Promise<Ran[]> {
  const all: Ran[] = []
  for (const experiment of EXPERIMENTS.filter(({ name }) => names.includes(name))) {
    for (const chosen of combinations(experiment.choices)) {
      const lab = new Lab('en')
      const outcome = await experiment.run(lab, chosen, null).finally(() => lab.close())
      const name = [experiment.name, ...Object.values(chosen)].join(' ')
      all.push({ name, chosen, outcome, ids: experiment.predictions.map(({ id }) => id) })
    }
  }
  return all
}

/** The answers in short: status, and the code of a refusal or the mode that recognised the caller. */
export function answersOf({ exchanges }: Outcome): string[] {
  return exchanges.map(({ response: { status, body } }) => {
    const [, word = ''] = /"(?:error|auth_type)":"(\w+)"/.exec(body) ?? []
    return `${status} ${word}`.trim()
  })
}

export const IN = { cookie: '200 cookie', session: '200 session', token: '200 token' }
