import { readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import { type Test, test } from 'tap'
import { DEFINITIONS, type Definition, PREFIX } from '../../plugins/lib/metrics/definitions.js'
import { movedBy, ofSuite, parseExposition, readSeries } from '../helpers/exposition.js'
import { eventually } from '../helpers/followed.js'
import { listen, MODES, post, refusedByCenter, signIn, userInfo } from '../helpers/http.js'
import { ownTime } from '../helpers/own-time.js'
import { startRedis } from '../helpers/redis-server.js'
import { startUserCenter } from '../helpers/user-center.js'

async function serve(t: Test) {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  return { redis, env: { REDIS_URL: redis.url } }
}

const seriesOf = async (app: FastifyInstance, series: string) => (await readSeries(app))[series] ?? 0
const isUp = async (app: FastifyInstance) => (await seriesOf(app, 'feed_up')) === 1

test('the feed is up, its lag is told, and what another process revoked is held', async (t) => {
  const { env } = await serve(t)
  const { app: one, dataDir, clock } = await startUserCenter(t, env)
  const { app: other } = await startUserCenter(t, { ...env, DATA_DIR: dataDir }, clock)
  await eventually(() => isUp(other))
  t.match(await readSeries(other), { feed_losses_total: Number, revocations: 0 })
  const beats = await seriesOf(other, 'feed_lag_seconds_count')
  await eventually(async () => (await seriesOf(other, 'feed_lag_seconds_count')) > beats)
  const { credential } = await signIn(one, 'cookie')
  await post(one, '/logout_cookie', {}, credential)
  t.equal(await seriesOf(one, 'revocations'), 1)
  await eventually(async () => (await seriesOf(other, 'revocations')) === 1)
})

test('Redis gone: faults are counted, the feed is down, and the metrics answer; then it recovers', async (t) => {
  const { redis, env } = await serve(t)
  const { app } = await startUserCenter(t, env)
  const url = `http://127.0.0.1:${await listen(app)}/metrics`
  // A process that stalls for a second loses its feed too: each loss counts, however many there are.
  const before = await seriesOf(app, 'feed_losses_total')
  let losses = 0
  app.stateStore.feed?.onChange(({ kind }) => kind === 'feed_lost' && losses++)
  const { credential } = await signIn(app, 'session')
  await eventually(() => isUp(app))
  t.match(await movedBy(app, () => userInfo(app, credential), /^(feed_lag|resolve)_/), {
    'cache_lookups_total{mode="session",result="hit"}': 1,
  })
  t.equal(await seriesOf(app, 'store_faults_total{operation="isLive",store="redis"}'), 0)

  await redis.kill()
  await eventually(async () => !(await isUp(app)))
  t.ok(losses > 0)
  t.equal(await seriesOf(app, 'feed_losses_total'), before + losses)
  const failing = async () => refusedByCenter(t, await userInfo(app, credential), 503, 'STORE_UNAVAILABLE')
  t.same(await movedBy(app, failing, /^(feed_lag|resolve)_/), {
    'cache_lookups_total{mode="session",result="hit"}': 1,
    'store_operation_seconds_count{operation="isLive",store="redis"}': 1,
    'store_faults_total{operation="isLive",store="redis"}': 1,
    'refusals_total{reason="STORE_UNAVAILABLE"}': 1,
  })
  const since = ownTime()
  const answer = await fetch(url)
  t.equal(answer.status, 200)
  t.match(await answer.text(), /^fastify_identity_feed_up 0$/m)
  t.ok(ownTime() - since < 500, 'without asking a store')

  await redis.start()
  await eventually(() => isUp(app))
  t.equal(await seriesOf(app, 'feed_losses_total'), before + losses)
  const entering = await movedBy(app, () => signIn(app, 'session'), /^(feed_lag|resolve|hash)_/)
  t.match(entering, {
    'sign_ins_total{mode="session"}': 1,
    'store_operation_seconds_count{operation="createSession",store="redis"}': 1,
  })
  t.notOk(Object.keys(entering).some((series) => /fault|refusal/.test(series)))
})

test('docs/metrics.md has a row for each metric, and each is told as it says', async (t) => {
  const { env } = await serve(t)
  const { app } = await startUserCenter(t, env)
  const faulty = app.stateStore
  for (const mode of MODES) await signIn(app, mode)
  await t.rejects(async () => faulty.rotateRefresh('a', 'b', undefined as never))
  const rows = readFileSync('docs/metrics.md', 'utf8').matchAll(
    /^\| `(fastify_identity_\w+)` \| (\w+) \| ([^|]+) \| .+ \|$/gm,
  )
  const documented = [...rows].map(([, name, type, labels = '']) => [
    name,
    type,
    [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label),
  ])
  const defined: [string, Definition][] = Object.entries(DEFINITIONS)
  t.same(
    documented,
    defined.map(([name, { type, labels = [] }]) => [`${PREFIX}${name}`, type, [...labels]]),
  )
  const told = ofSuite(parseExposition(await app.identityMetrics.text()))
  t.same([...told.keys()].sort(), Object.keys(DEFINITIONS).sort())
  for (const [name, { type, help, labels = [] }] of defined) {
    t.match(told.get(name), { type, help }, name)
    t.same([...(told.get(name)?.labels ?? [])].sort(), [...labels].sort(), name)
  }
})
