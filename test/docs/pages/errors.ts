import type { Page } from '../runners.js'
import { SUITE } from '../setups.js'

const page: Page = {
  handler: {
    before: `import type { FastifyError } from 'fastify'\n${SUITE}`,
    after: `
      app.get('/me', { preHandler: app.guard() }, async (request) => request.identity)
      app.get('/broken', async () => { throw new Error('words of the store') })
      app.post<{ Body: Credentials }>('/login', (request) => app.throttle.signIn(request, 'token', request.body))`,
    check: async (t, app) => {
      const nobody = await app.inject('/me')
      t.strictSame([nobody.statusCode, nobody.json()], [401, { problem: 'NOT_SIGNED_IN' }])
      t.equal(nobody.headers['www-authenticate'], 'Bearer')
      t.strictSame((await app.inject('/broken')).json(), { problem: 'INTERNAL' })
      const guess = () =>
        app.inject({ method: 'POST', url: '/login', payload: { username: 'bob', password: 'guess' } })
      for (let attempt = 0; attempt < 10; attempt++) t.equal((await guess()).statusCode, 401)
      const late = await guess()
      t.strictSame(late.json(), { problem: 'THROTTLED', again_in: Number(late.headers['retry-after']) })
    },
  },
}

export default page
