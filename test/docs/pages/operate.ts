import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres } from '../../helpers/postgres-server.js'
import { startRedis } from '../../helpers/redis-server.js'
import { makeDataDir } from '../../helpers/user-center.js'
import { textOf } from '../blocks.js'
import { goesBackEmbedded, goesBackPostgres } from '../going-back.js'
import { fillIn, startInProduction } from '../production.js'
import type { Page } from '../runners.js'

const page: Page = {
  production: (t, text) => startInProduction(t, text),
  'production-stores': async (t, text) => {
    const redis = await startRedis({ tcp: true })
    t.teardown(() => redis.stop())
    const postgres = await startPostgres()
    t.teardown(() => postgres.stop())
    const cwd = makeDataDir(t)
    const AUTH_SECRETS = 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6'
    const DATABASE_URL = await postgres.createDatabase()
    writeFileSync(join(cwd, '.env'), fillIn({ AUTH_SECRETS, REDIS_URL: redis.url, DATABASE_URL }))
    const { stdout } = await startInProduction(t, text, { cwd })
    t.match(stdout, /^ok +REDIS_URL/m)
    t.match(stdout, /^ok +DATABASE_URL/m)
  },
  'going-back': goesBackPostgres,
  'going-back-embedded': (t, text) => goesBackEmbedded(t, textOf('docs/operate.md', 'going-back') + text),
}

export default page
