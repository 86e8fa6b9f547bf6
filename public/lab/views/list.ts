import { type Child, h } from '../../lib/dom.js'
import type { Description } from '../answers.js'
import { CLAIMS, CLAIMS_NAME } from '../claims.js'
import { state } from '../state.js'
import { words } from '../words.js'
import { backToAll, heading, link, withCode } from './parts.js'

function entry(experiment: Description): HTMLElement {
  return h(
    'li',
    { class: 'entry' },
    h('h2', {}, link(experiment)),
    h('p', { class: 'fine' }, h('q', {}, experiment.claim)),
  )
}

/** All experiments. */
export function listView(): Child {
  const { name, experiments } = state()
  const { list, unknown } = words()
  return [
    heading(list.title),
    h('p', { class: 'lead' }, list.lead),
    name !== '' && h('p', { class: 'box bad', id: 'unknown' }, unknown),
    h(
      'p',
      { class: 'fine' },
      h('a', { href: `#${CLAIMS_NAME}`, id: 'claims-link' }, list.claims),
      ` · ${list.claimsLead}`,
    ),
    h('ol', { class: 'entries', id: 'experiments' }, ...(experiments ?? []).map(entry)),
  ]
}

/** The mistakes of tutorials, each with its experiments. */
export function claimsView(): Child {
  const { title, lead, says, so, see, items } = words().claims
  const experiments = state().experiments ?? []
  return [
    backToAll(),
    heading(title),
    h('p', { class: 'lead' }, lead),
    h(
      'ol',
      { class: 'entries', id: 'claims' },
      ...CLAIMS.map(([claim, ...names]) => {
        const shown = experiments.filter(({ name }) => names.includes(name))
        return h(
          'li',
          { class: 'entry claim' },
          h('h2', {}, h('span', { class: 'label' }, says), ' ', withCode(items[claim].says)),
          h('p', {}, h('span', { class: 'label' }, so), ' ', withCode(items[claim].so)),
          shown.length > 0 &&
            h(
              'p',
              { class: 'fine see' },
              h('span', { class: 'label' }, see),
              ' ',
              ...shown.map((each) => [link(each), ' ']),
            ),
        )
      }),
    ),
  ]
}
