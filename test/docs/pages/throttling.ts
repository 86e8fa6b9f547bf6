import type { Page } from '../runners.js'
import { ACCOUNTS, answers } from '../setups.js'

const page: Page = {
  'own-application': {
    before: `${ACCOUNTS}\nexport const app = Fastify()`,
    check: async (t, app) => {
      const login = (payload: object) => app.inject({ method: 'POST', url: '/login', payload })
      answers(t, await login({ username: 'bob' }), 400)
      answers(t, await login({ username: 'bob', password: 'correct horse' }), 200)
      for (let attempt = 0; attempt < 10; attempt++) {
        answers(t, await login({ username: 'nobody', password: 'guess' }), 401, 'CREDENTIALS_REFUSED')
      }
      const late = await login({ username: 'nobody', password: 'guess' })
      answers(t, late, 429, 'THROTTLED')
      t.match(late.headers['retry-after'], /^6[01]$/, 'a minute, by the real clock')
    },
  },
}

export default page
