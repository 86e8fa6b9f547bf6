import type { Page } from '../runners.js'
import { answers, cookiesOf, type Headers } from '../setups.js'

const ALICE = { username: 'alice', password: 'correct horse' }

/** What a browser sends from another site. Some send only the second. */
const FROM_ELSEWHERE: Headers[] = [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]

const page: Page = {
  program: {
    before: "process.env.AUTH_SECRET = 'a secret for tests, at least 32 bytes long'",
    check: async (t, app) => {
      const signIn = (payload: object, headers: Headers = {}) =>
        app.inject({ method: 'POST', url: '/login', payload, headers })
      const open = (headers: Headers = {}, remoteAddress = '127.0.0.1') =>
        app.inject({ url: '/', headers, remoteAddress })

      t.equal((await open()).headers.location, '/login')
      const refused = await signIn({ ...ALICE, password: 'guessed' })
      answers(t, refused, 401, 'CREDENTIALS_REFUSED')
      for (const headers of FROM_ELSEWHERE) {
        const crossSite = await signIn(ALICE, headers)
        answers(t, crossSite, 403, 'CROSS_SITE')
        t.strictSame(crossSite.cookies, [])
      }
      const granted = await signIn(ALICE, { host: 'example.com', origin: 'http://example.com' })
      answers(t, granted, 200)
      const names = granted.cookies.map(({ name }) => name)
      t.strictSame(names.sort(), ['device', 'identity'], 'every cookie of the answer')
      const headers = cookiesOf(granted)
      t.equal((await open(headers, '203.0.113.9')).body, 'Signed in as alice from 203.0.113.9')
      t.equal((await open()).statusCode, 303, 'the front server has kept nothing')
    },
  },
}

export default page
