import { type Child, h } from '../../lib/dom.js'
import type { Exchange } from '../answers.js'
import { type Row, rowsOf } from '../differences.js'
import { requestLines, responseLines } from '../lines.js'
import { words } from '../words.js'
import { panel } from './parts.js'

/** Headers that say nothing about signing in. They are folded when they are equal. */
const USUAL =
  /^(cache-control|connection|content-(length|security-policy|type)|cross-origin-.*|date|keep-alive|origin-agent-cluster|referrer-policy|strict-transport-security|x-.*)$/

/** The positions of the two exchanges. */
type Pair = readonly [number, number]

const isEqual = ({ values: [left, right] }: Row): boolean => left === right

/** A value, with what differs from the other one marked. */
function cell(row: Row, side: 0 | 1, pair: Pair): HTMLElement {
  const [before, middle, after] = row.parts[side]
  const isAbsent = row.values[side] === null
  return h(
    'td',
    { class: 'cell value', colspan: isEqual(row) ? 2 : null },
    !isEqual(row) && h('span', { class: 'nth' }, `${pair[side] + 1}. `),
    isAbsent
      ? h('span', { class: 'absent' }, words().compare.absent)
      : h('code', {}, before, middle !== '' && h('mark', {}, middle), after),
  )
}

function line(row: Row, pair: Pair): HTMLElement {
  if (isEqual(row))
    return h('tr', {}, h('th', { class: 'cell name', scope: 'row' }, row.name), cell(row, 0, pair))
  const sign = h('span', { 'aria-hidden': true }, ' ≠')
  const said = h('span', { class: 'unseen' }, ` (${words().compare.differs})`)
  return h(
    'tr',
    {},
    h('th', { class: 'cell name differs', scope: 'row' }, row.name, sign, said),
    cell(row, 0, pair),
    cell(row, 1, pair),
  )
}

function group(title: string, rows: readonly Row[], pair: Pair): HTMLElement {
  const head = h('th', { class: 'cell title', scope: 'rowgroup', colspan: 3 }, title)
  return h('tbody', {}, h('tr', {}, head), ...rows.map((row) => line(row, pair)))
}

function table(exchanges: readonly Exchange[], pair: Pair, request: Row[], response: Row[]): HTMLElement {
  const { part, ...titles } = words().compare
  const column = (index: number) =>
    h('th', { class: 'cell column', scope: 'col' }, `${index + 1}. ${exchanges[index]?.title}`)
  return h(
    'table',
    { class: 'compare' },
    h(
      'thead',
      {},
      h('tr', {}, h('th', { class: 'cell name column', scope: 'col' }, part), ...pair.map(column)),
    ),
    group(titles.request, request, pair),
    group(titles.response, response, pair),
  )
}

function folded(rows: readonly Row[]): HTMLElement {
  return h(
    'details',
    { id: 'usual-headers' },
    h('summary', {}, words().compare.usual(rows.length)),
    h(
      'ul',
      { class: 'usual' },
      ...rows.map(({ name, values: [own] }) => h('li', {}, h('code', {}, `${name}: ${own}`))),
    ),
  )
}

/** Two exchanges side by side. */
export function compareView(exchanges: readonly Exchange[], pair: Pair): Child {
  const [first, second] = pair.map((index) => exchanges[index])
  if (!first || !second) return null
  const names = words().compare
  const request = rowsOf(requestLines(first, names), requestLines(second, names))
  const response = rowsOf(responseLines(first, names), responseLines(second, names))
  const isFolded = (row: Row) => isEqual(row) && USUAL.test(row.name)
  return panel(
    'compare',
    names.title,
    [...request, ...response].every(isEqual) ? names.same : names.lead,
    table(
      exchanges,
      pair,
      request,
      response.filter((row) => !isFolded(row)),
    ),
    folded(response.filter(isFolded)),
  )
}
