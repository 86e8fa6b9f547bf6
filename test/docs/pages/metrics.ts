import { notRun, type Page } from '../runners.js'
import { ACCOUNTS } from '../setups.js'

const page: Page = {
  scrape: notRun('no test has a Prometheus', async (t, text) => {
    t.match(text, /^scrape_configs:\n {2}- job_name: /)
    t.match(text, /targets: \['[\d.]+:3000'/, 'each copy, at the port where it listens')
  }),
  'own-application': {
    before: `${ACCOUNTS}\nexport const app = Fastify()`,
    check: async (t, app) => {
      const { statusCode, headers, body } = await app.inject('/metrics')
      t.equal(statusCode, 200)
      t.match(headers['content-type'], /^text\/plain/)
      t.match(body, /^# TYPE fastify_identity_/m)
    },
  },
}

export default page
