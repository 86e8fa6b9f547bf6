import { Redis } from 'ioredis'
import t from 'tap'
import { checkRedis } from '../../plugins/lib/cli/doctor/redis.js'
import { startRedis } from '../helpers/redis-server.js'

const SECOND = 1000

t.test('the doctor says how far the clocks are apart, and when that is too far', async (t) => {
  const server = await startRedis({ tcp: true })
  t.teardown(() => server.stop())
  const found = async (ms: number, redisUrl = server.url) => {
    const findings = await checkRedis({ redisUrl }, () => Date.now() + ms)
    return findings.map(({ verdict, sentence }) => `${verdict} ${sentence}`).slice(1)
  }
  t.strictSame(await found(0), [])
  t.match(await found(-90 * SECOND), [/^warning The clock of Redis is (89|90|91) s ahead of this machine's/])
  t.match(await found(90 * SECOND), [/^warning The clock of Redis is (89|90|91) s behind this machine's/])
  for (const days of [-32, 32]) {
    t.match(await found(days * 24 * 3600 * SECOND), [/^fault .*nobody could sign in/])
  }
  const admin = new Redis(server.url)
  t.teardown(() => admin.disconnect())
  await admin.acl('SETUSER', 'app', 'on', '>secret', '~*', '+@all', '-time')
  const url = server.url.replace('redis://', 'redis://app:secret@')
  t.match(await found(0, url), [/^warning Redis does not tell the time/])
})
