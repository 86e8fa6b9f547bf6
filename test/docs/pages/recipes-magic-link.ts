import { textOf } from '../blocks.js'
import type { Page } from '../runners.js'
import { answers, cookiesOf, type Headers } from '../setups.js'

const PAGE = 'docs/recipes/magic-link.md'

const START = `
process.env.AUTH_SECRET = 'a secret for tests, at least 32 bytes long'
export const time = { now: Date.now() }
export const sent: string[] = []
export const app = await buildApp({
  origin: 'https://example.com',
  users: [{ id: '1', username: 'ann', role: 'user', mail: 'ann@example.com' }],
  sendMail: async (to, text) => void sent.push(to + ' ' + text),
  clock: () => time.now,
})
`

const page: Page = {
  program: {
    after: START,
    check: async (t, app, exports) => {
      const sent = exports.sent as string[]
      const time = exports.time as { now: number }
      const ask = (mail: string, headers: Headers = {}) =>
        app.inject({ method: 'POST', url: '/login', payload: { mail }, headers })
      const confirm = (url: string, headers: Headers = {}) => app.inject({ method: 'POST', url, headers })
      const linkOf = (mail = '') => /https:\/\/example\.com(\S+)/.exec(mail)?.[1] ?? ''

      const [known, unknown] = [await ask(' Ann@Example.com'), await ask('bob@example.com')]
      t.equal(known.body, unknown.body, 'the answer does not tell who is known')
      await ask('ann@example.com')
      t.equal(sent.length, 1, 'one mail within a minute')
      t.match(sent[0], /^ann@example\.com /)

      const link = linkOf(sent[0])
      const opened = await app.inject(link)
      answers(t, opened, 200)
      t.match(opened.body, /Sign in as ann@example\.com</)
      t.strictSame(opened.cookies, [], 'opening it signs nobody in')
      answers(t, await confirm(link, { 'sec-fetch-site': 'cross-site' }), 403, 'CROSS_SITE')
      const pair = await Promise.all([confirm(link), confirm(link)])
      t.strictSame(pair.map(({ statusCode }) => statusCode).sort(), [303, 401], 'it works once')
      const granted = pair.find(({ statusCode }) => statusCode === 303)
      const home = granted && (await app.inject({ url: '/', headers: cookiesOf(granted) }))
      t.match(home?.body, /account 1/)

      answers(t, await app.inject(link), 401)
      time.now += 61_000
      await ask('ann@example.com')
      time.now += 601_000
      const late = await confirm(linkOf(sent[1]))
      answers(t, late, 401)
      t.strictSame(late.cookies, [])
      answers(t, await confirm(`${link}x`), 401)
      for (let requests = 0; requests < 100; requests++) await ask('bob@example.com')
      t.equal((await ask('ann@example.com')).statusCode, 429, 'one address asks only so often')
    },
  },
  start: {
    before: `${textOf(PAGE, 'program')}
process.env.AUTH_SECRET = 'a secret for tests, at least 32 bytes long'
const users: MagicLinkOptions['users'] = []
const sendMail = async () => {}
`,
    check: async (t, app) => answers(t, await app.inject('/login'), 200),
  },
}

export default page
