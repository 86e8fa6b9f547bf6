import { type Child, h } from '../../lib/dom.js'
import type { Exchange, Header } from '../answers.js'
import { words } from '../words.js'
import { panel } from './parts.js'

type Lane = 'browser' | 'server' | 'memory' | 'store'
const LANES: readonly Lane[] = ['browser', 'server', 'memory', 'store']

/** One message of the sequence, with an arrow between two lanes. */
function message(from: Lane, to: Lane, ...content: Child[]): HTMLElement {
  const { steps } = words()
  return h(
    'li',
    { class: `passage to-${to}` },
    h(
      'span',
      { class: to === 'memory' || to === 'store' ? 'says asks' : 'says' },
      h('span', { class: 'unseen' }, steps.to(steps[from], steps[to])),
      ...content,
    ),
    h('span', { class: 'arrow', 'aria-hidden': true }),
  )
}

const valuesOf = (headers: readonly Header[], name: string) =>
  headers.filter(([own]) => own === name).map(([, value]) => value)

/** The credentials that a request carries, shortened. */
function carried({ headers }: Exchange['request']): string[] {
  const cookies = valuesOf(headers, 'cookie')
    .flatMap((line) => line.split('; '))
    .map((cookie) => `cookie: ${shortened(cookie)}`)
  return [
    ...cookies,
    ...valuesOf(headers, 'authorization').map((value) => `authorization: ${shortened(value)}`),
  ]
}

/** Long enough to recognise it again. */
function shortened(value: string): string {
  const [start = ''] = /^[^=; ]*[= ]?.{0,12}/.exec(value) ?? []
  return start.length < value.length ? `${start}…` : value
}

const setBy = ({ headers }: Exchange['response']) =>
  valuesOf(headers, 'set-cookie').map((line) => `set-cookie: ${shortened(line.split(';')[0] ?? '')}`)

function errorOf({ body }: Exchange['response']): string {
  const [, code = ''] = /"error":"(\w+)"/.exec(body) ?? []
  return code
}

const code = (text: string) => h('code', {}, text)
const lines = (all: readonly string[]): Child => all.map((each) => h('code', { class: 'carried' }, each))

function sequence({ request, response, asked }: Exchange): Child {
  const { steps } = words()
  return [
    h('p', { class: 'lanes', 'aria-hidden': true }, ...LANES.map((lane) => h('span', {}, steps[lane]))),
    h(
      'ol',
      { class: 'sequence' },
      message('browser', 'server', code(`${request.method} ${request.path}`), lines(carried(request))),
      ...asked.map(({ of, what }) => message('server', of, what)),
      asked.length === 0 &&
        h('li', { class: 'passage' }, h('span', { class: 'says asks none' }, steps.nothing)),
      message(
        'server',
        'browser',
        code(`${response.status} ${errorOf(response)}`.trim()),
        lines(setBy(response)),
      ),
    ),
  ]
}

const raw = (first: string, headers: readonly Header[], body: string | null) =>
  h(
    'pre',
    {},
    [first, ...headers.map(([name, value]) => `${name}: ${value}`), ...(body ? ['', body] : [])].join('\n'),
  )

function step(exchange: Exchange, index: number): HTMLElement {
  const { request, response, title } = exchange
  return h(
    'li',
    { class: 'step' },
    h('h3', {}, `${index + 1}. ${title}`),
    ...[sequence(exchange)].flat(),
    h(
      'details',
      { id: `raw-${index}` },
      h('summary', {}, words().steps.raw, h('span', { class: 'unseen' }, `: ${title}`)),
      h(
        'div',
        { class: 'raw' },
        raw(`${request.method} ${request.path}`, request.headers, request.body),
        raw(String(response.status), response.headers, response.body),
      ),
    ),
  )
}

/** All exchanges in order, and what was asked of each. */
export function stepsView(exchanges: readonly Exchange[]): Child {
  const { title, lead } = words().steps
  return panel('steps', title, lead, h('ol', { class: 'steps' }, ...exchanges.map(step)))
}
