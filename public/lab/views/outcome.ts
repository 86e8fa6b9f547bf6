import { type Child, h } from '../../lib/dom.js'
import { copy, runEdited } from '../actions.js'
import type { Description, Outcome } from '../answers.js'
import { note, type Ran, state } from '../state.js'
import { words } from '../words.js'
import { compareView } from './compare.js'
import { button, form, link, panel } from './parts.js'
import { stepsView } from './steps.js'

/** The verdict, beside the prediction of the learner. */
function resultView({ predictions }: Description, { outcome, expected }: Ran): HTMLElement {
  const { right, wrong, expected: title, happened, verdict: verdictLabel } = words().result
  const textOf = (id: string) => predictions.find((each) => each.id === id)?.text ?? ''
  const isRight = outcome.right === expected
  return h(
    'section',
    { class: isRight ? 'panel result right' : 'panel result', 'aria-labelledby': 'result' },
    h('h2', { id: 'result', tabindex: -1 }, isRight ? right : wrong),
    h(
      'dl',
      { class: 'why' },
      h('dt', {}, title),
      h('dd', { id: 'expected' }, textOf(expected)),
      !isRight && [h('dt', {}, happened), h('dd', { id: 'happened' }, textOf(outcome.right))],
    ),
    h(
      'p',
      { class: 'verdict' },
      h('span', { class: 'unseen' }, `${verdictLabel}: `),
      h('strong', { id: 'verdict' }, outcome.verdict),
    ),
  )
}

/** The credential, to change one character of it. */
function editView(credential: string): Child {
  const { title, lead, label, submit, one } = words().edit
  const isWrong = state().wrong === 'not-one-character'
  const text: HTMLTextAreaElement = h(
    'textarea',
    {
      id: 'credential',
      rows: 4,
      spellcheck: 'false',
      autocapitalize: 'none',
      autocomplete: 'off',
      'aria-invalid': isWrong,
      'aria-describedby': isWrong ? 'not-one-character' : null,
      input: () => note({ draft: text.value }),
    },
    state().draft ?? credential,
  )
  return panel(
    'edit',
    title,
    lead,
    form(
      'edit-form',
      () => runEdited(text.value),
      h('div', { class: 'field' }, h('label', { for: 'credential' }, label), text),
      isWrong && h('p', { class: 'box bad', id: 'not-one-character' }, one),
      button('send-edited', submit, null),
    ),
  )
}

function findingsView({ findings }: Outcome): Child {
  if (findings.length === 0) return null
  return panel(
    'findings',
    words().findings.title,
    '',
    h(
      'dl',
      { class: 'findings' },
      ...findings.map(({ label, value }) => [h('dt', {}, label), h('dd', {}, h('pre', {}, value))]),
    ),
  )
}

function curlView({ curl }: Outcome): Child {
  const { title, lead, copy: label } = words().curl
  return panel(
    'curl',
    title,
    lead,
    h('pre', { id: 'script' }, curl.trimEnd()),
    button('copy', label, () => copy(curl), { class: 'small' }),
  )
}

function nextView({ next }: Description): Child {
  const experiments = state().experiments ?? []
  const entry = ({ text, experiment, path }: Description['next'][number]) => {
    const target = experiments.find(({ name }) => name === experiment)
    return h('li', {}, path ? h('a', { href: path }, text) : text, target && [' ', link(target)])
  }
  return panel('next', words().next.title, '', h('ul', { class: 'next' }, ...next.map(entry)))
}

/** Everything that a run has shown. */
export function outcomeView(experiment: Description, ran: Ran): Child {
  const { outcome } = ran
  const { exchanges, compare, findings } = outcome
  return [
    resultView(experiment, ran),
    compare && compareView(exchanges, compare),
    findingsView(outcome),
    experiment.edit && findings[0] && editView(findings[0].value),
    stepsView(exchanges),
    curlView(outcome),
    nextView(experiment),
  ]
}
