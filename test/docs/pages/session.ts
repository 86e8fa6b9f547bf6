import { Redis } from 'ioredis'
import { signIn } from '../../helpers/http.js'
import { startRedis } from '../../helpers/redis-server.js'
import { type Page, startCenter } from '../runners.js'
import { holdsLabels, sameCookie } from '../shown.js'

const page: Page = {
  credential: async (t, text) => {
    const redis = await startRedis({ tcp: true })
    t.teardown(() => redis.stop())
    const { app } = await startCenter(t, { REDIS_URL: redis.url })
    const { response } = await signIn(app, 'session')
    const [cookie = '', record = ''] = text.split('in Redis:')
    sameCookie(t, cookie, String([response.headers['set-cookie']].flat()[0]))
    const client = new Redis(redis.url)
    t.teardown(() => client.quit())
    const [key = ''] = await client.keys('fid:se:*')
    const shape = /^(fid:se:[\w-]{43})\s+(\d+,\w+,\w+)\s+(v1\.[\w-]{8}\.[\w-]+)/
    t.match(`${key}\n${await client.get(key)}`, shape)
    t.match(record.trim(), shape, 'what the page shows is of that form')
  },
  inspect: async (t, text) => {
    const center = await startCenter(t)
    const { credential } = await signIn(center.app, 'session')
    await holdsLabels(t, text, center, credential.cookie)
  },
}

export default page
