import type { FastifyInstance } from 'fastify'
import { CLIENT, startProvider } from '../../helpers/oauth-provider.js'
import { freePort } from '../../helpers/redis-server.js'
import type { Page } from '../runners.js'
import { answers, cookiesOf, type Headers } from '../setups.js'

const port = await freePort()
const ORIGIN = 'http://127.0.0.1:3000'

/** Goes to the provider, and comes back with a code. The cookies are those of the way. */
async function goAndComeBack(app: FastifyInstance) {
  const start = await app.inject('/login/provider')
  const there = await fetch(String(start.headers.location), { redirect: 'manual' })
  const back = new URL(there.headers.get('location') ?? '')
  return { url: back.pathname + back.search, headers: cookiesOf(start) }
}

const page: Page = {
  program: {
    before: `Object.assign(process.env, ${JSON.stringify({
      AUTH_SECRET: 'a secret for tests, at least 32 bytes long',
      PROVIDER: `http://127.0.0.1:${port}`,
      CLIENT_ID: CLIENT.id,
      CLIENT_SECRET: CLIENT.secret,
      ORIGIN,
    })})`,
    check: async (t, app) => {
      const provider = await startProvider(t, { sub: 'a1', name: 'ann' }, port)
      const visit = await app.inject({ url: '/', headers: { accept: 'text/html' } })
      t.match(visit.headers.location, /^\/login\/provider/)

      const way = await goAndComeBack(app)
      const granted = await app.inject(way)
      t.equal(granted.headers.location, '/', granted.body)
      const headers = cookiesOf(granted)
      t.same((await app.inject({ url: '/', headers })).json(), { id: '1', username: 'ann' })

      const refused = await app.inject({ ...way, headers: {} })
      answers(t, refused, 401)
      t.notOk(
        refused.cookies.some(({ name }) => name === 'session'),
        'a browser that did not begin it is not signed in',
      )
      const again = await app.inject(way)
      answers(t, again, 401)
      const denied = await app.inject({ ...way, url: way.url.replace(/code=\w+/, 'error=access_denied') })
      answers(t, denied, 401)

      provider.person = { sub: 'b2', name: 'ann' }
      const other = await app.inject(await goAndComeBack(app))
      const idOf = async (headers: Headers) => (await app.inject({ url: '/', headers })).json().id
      t.not(
        await idOf(headers),
        await idOf(cookiesOf(other)),
        'another person of that name is another account',
      )

      const ended = await app.inject({ method: 'POST', url: '/logout', headers })
      t.same(ended.json(), { ended: true })
      answers(t, await app.inject({ url: '/', headers }), 401, 'SIGNED_OUT')
    },
  },
}

export default page
