import { pairs } from '../lib/decode.js'
import { type Child, h } from '../lib/dom.js'
import { moment, span, tSignedIn } from '../lib/language.js'
import { refreshTokens } from '../lib/own-actions.js'
import { readToken, type Tokens } from '../lib/tokens.js'
import { button } from './parts.js'

/** Claims that are times, in seconds. */
const TIMES = new Set(['iat', 'exp', 'nbf', 'auth_time'])

function meaning(name: string, value: unknown): string {
  const said = tSignedIn().inspector.claims[name] ?? ''
  return TIMES.has(name) && typeof value === 'number' ? `${said}: ${moment(value * 1000)}` : said
}

function part(id: string, title: string, content: unknown): Child {
  return [
    h('h3', {}, title),
    h(
      'dl',
      { class: 'claims', id },
      ...pairs(content).map(([name, value]) => [
        h('dt', {}, h('code', {}, name)),
        h(
          'dd',
          {},
          h('code', {}, JSON.stringify(value)),
          ' ',
          h('span', { class: 'fine' }, meaning(name, value)),
        ),
      ]),
    ),
  ]
}

function expiry({ since, expiresAt, rotations }: Tokens): Child {
  const words = tSignedIn().inspector
  const [lifetime, left] = [(expiresAt - since) / 1000, (expiresAt - Date.now()) / 1000]
  return h(
    'div',
    { class: 'expiry' },
    h(
      'p',
      {},
      h('span', { id: 'expiry-label' }, `${words.expires} `),
      h('strong', { id: 'expiry', 'data-left': expiresAt }, span(left)),
    ),
    h('progress', {
      max: lifetime,
      value: Math.max(0, left),
      'data-ends': expiresAt,
      'aria-labelledby': 'expiry-label',
    }),
    h(
      'p',
      { class: 'row' },
      h('span', { id: 'rotations' }, words.rotations(rotations)),
      button('rotate', words.rotate, refreshTokens, { class: 'small' }),
    ),
    h('p', { class: 'fine' }, words.refresh),
  )
}

/** The access token, decoded by this page. */
export function tokenView(held: Tokens): Child {
  const words = tSignedIn().inspector
  const { header, payload } = readToken(held.token)
  return [
    expiry(held),
    part('token-header', words.header, header),
    part('token-payload', words.payload, payload),
    h('h3', {}, words.signature),
    h('p', {}, words.signatureLine),
    h('p', { class: 'fine' }, words.memory),
  ]
}
