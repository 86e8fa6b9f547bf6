import { type Child, h } from '../../lib/dom.js'
import { faultWords } from '../actions.js'
import type { Description } from '../answers.js'
import { state } from '../state.js'
import { words } from '../words.js'
import { outcomeView } from './outcome.js'
import { backToAll, heading, link } from './parts.js'
import { questionView } from './question.js'

/** A failed call, in its place. */
export function faultView(): Child {
  const { fault } = state()
  if (!fault) return null
  return h(
    'div',
    { class: 'box bad', id: 'fault' },
    h('p', {}, faultWords()),
    fault.code !== '' && h('p', { class: 'fine' }, h('code', {}, fault.code)),
  )
}

/** The experiments before and after. */
function neighbours({ name }: Description): Child {
  const experiments = state().experiments ?? []
  const at = experiments.findIndex((each) => each.name === name)
  const { before, after } = words().next
  const to = (label: string, target: Description | undefined) =>
    target ? h('span', {}, `${label}: `, link(target)) : h('span', {})
  return h(
    'nav',
    { class: 'neighbours', 'aria-label': words().all },
    to(before, experiments[at - 1]),
    to(after, experiments[at + 1]),
  )
}

/** One experiment. */
export function experimentView(experiment: Description): Child {
  const { ran } = state()
  return [
    backToAll(),
    h('p', { class: 'label number' }, words().number(experiment.number)),
    heading(experiment.title),
    h('blockquote', { class: 'claim' }, h('span', { class: 'label' }, words().claim), ' ', experiment.claim),
    questionView(experiment),
    faultView(),
    ran && outcomeView(experiment, ran),
    neighbours(experiment),
  ]
}
