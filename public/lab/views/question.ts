import { type Child, h } from '../../lib/dom.js'
import { choose, run } from '../actions.js'
import type { Description } from '../answers.js'
import { note, state } from '../state.js'
import { words } from '../words.js'
import { button, form } from './parts.js'

function prediction({ id, text }: Description['predictions'][number]): HTMLElement {
  const field = `prediction-${id}`
  const isMissing = state().wrong === 'no-prediction'
  return h(
    'div',
    { class: 'way' },
    h('input', {
      id: field,
      type: 'radio',
      name: 'prediction',
      value: id,
      checked: state().expected === id,
      'aria-describedby': isMissing ? 'no-prediction' : null,
      change: () => note({ expected: id }),
    }),
    h('label', { for: field }, text),
  )
}

function choice({ id, label, options }: Description['choices'][number]): HTMLElement {
  const field = `choice-${id}`
  const chosen = state().choices[id] ?? options[0]?.id
  const select = h(
    'select',
    { id: field },
    ...options.map((option) =>
      h('option', { value: option.id, selected: option.id === chosen }, option.text),
    ),
  )
  select.addEventListener('change', () => choose(id, select.value))
  return h('div', { class: 'field' }, h('label', { for: field }, label), select)
}

/** The form: the prediction of the learner, and the choices. */
export function questionView({ question, predictions, choices }: Description): Child {
  const { question: title, predictFirst, run: submit, running } = words()
  const { wrong, busy } = state()
  return h(
    'section',
    { class: 'panel', id: 'question', 'aria-labelledby': 'question-title' },
    h('h2', { id: 'question-title' }, question),
    form(
      'question-form',
      run,
      ...choices.map(choice),
      h(
        'fieldset',
        {},
        h('legend', {}, title),
        h('div', { class: 'predictions' }, ...predictions.map(prediction)),
      ),
      wrong === 'no-prediction' && h('p', { class: 'box bad', id: 'no-prediction' }, predictFirst),
      button('run', busy ? running : submit, null, { class: 'primary' }),
    ),
  )
}
