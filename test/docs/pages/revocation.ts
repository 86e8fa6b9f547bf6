import { post, signIn } from '../../helpers/http.js'
import { startRedis } from '../../helpers/redis-server.js'
import { makeDataDir } from '../../helpers/user-center.js'
import { makePrograms, type Page, runShell, startCenter } from '../runners.js'

const page: Page = {
  'look-inside': async (t, text) => {
    const redis = await startRedis({ tcp: true })
    t.teardown(() => redis.stop())
    const { app } = await startCenter(t, { REDIS_URL: redis.url })
    const { credential } = await signIn(app, 'cookie')
    const [{ id }] = (await app.inject({ url: '/sign_ins', headers: credential })).json().data
    await post(app, '/logout_cookie', {}, credential)
    const PROGRAMS = makePrograms(t, { 'redis-cli': `exec /usr/bin/redis-cli -p ${redis.port} "$@"` })
    const { stdout, stderr } = await runShell(text, { cwd: makeDataDir(t), env: { PROGRAMS, SIGN_IN: id } })
    const [count, until, ...newest] = stdout.split('\n')
    t.ok(Number(count) >= 2, `${count}: the sign-in, and the list's own entries`)
    t.ok(Number(until) > Date.now(), `${until}: kept until then`)
    t.ok(
      newest.some((line) => line === 'h' || line === 'm'),
      stdout + stderr,
    )
  },
}

export default page
