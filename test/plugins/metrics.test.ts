import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { register } from 'prom-client'
import { type Test, test } from 'tap'
import fastifyIdentity, { type SuiteOptions } from '../../plugins/index.js'
import { passwords } from '../../plugins/lib/accounts/passwords.js'
import type { AuthMode } from '../../plugins/lib/contract.js'
import * as errors from '../../plugins/lib/errors.js'
import { REASONS } from '../../plugins/lib/metrics/refusals.js'
import type { FeedChange } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import metrics from '../../plugins/metrics.js'
import stores from '../../plugins/stores.js'
import { movedBy, ofSuite, parseExposition, readSeries } from '../helpers/exposition.js'
import { ALICE, accountSource, cookieHeader, faultyStore, headerMode, SECRET } from '../helpers/suite.js'

declare module '../../plugins/lib/contract.js' {
  interface AuthModes {
    'api-key': never
  }
}

const apiKey: AuthMode = headerMode('api-key')

interface Parts extends Partial<SuiteOptions> {
  /** Added after the suite's own. */
  readonly added?: readonly AuthMode[]
}

/** An application of somebody's own, with every resolve timed. */
async function makeApp(t: Test, { added = [], ...options }: Parts = {}): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fastifyIdentity, {
    secrets: [SECRET],
    state: { memory: true },
    accounts: accountSource,
    secure: false,
    metrics: { sampling: 1, process: false },
    ...options,
  })
  for (const mode of added) app.authModes.add(mode)
  app.post('/sign_in', async (request) => request.signIn('cookie', ALICE))
  app.get('/me', { preHandler: app.guard() }, async (request) => request.identity.mode)
  app.get('/admin', { preHandler: app.guard({ role: 'nobody' }) }, async () => 'in')
  await app.ready()
  return app
}

const enter = async (app: FastifyInstance) =>
  cookieHeader(await app.inject({ method: 'POST', url: '/sign_in' }))
const me = (app: FastifyInstance, headers = {}) => app.inject({ url: '/me', headers })
const ALL = /^$/

test('a resolve is timed in the mode that was asked, and looked up in its memory', async (t) => {
  const app = await makeApp(t, { added: [apiKey] })
  const headers = await enter(app)
  t.same(await movedBy(app, () => me(app, headers), ALL), {
    'resolve_seconds_count{mode="cookie"}': 1,
    'cache_lookups_total{mode="cookie",result="miss"}': 1,
  })
  t.same(await movedBy(app, () => me(app, headers), ALL), {
    'resolve_seconds_count{mode="cookie"}': 1,
    'cache_lookups_total{mode="cookie",result="hit"}': 1,
  })
  t.same(await movedBy(app, () => me(app, { 'x-api-key': 'alice' }), /^store_/), {
    'resolve_seconds_count{mode="api-key"}': 1,
  })
  t.same(await movedBy(app, () => me(app), ALL), { 'refusals_total{reason="NOT_SIGNED_IN"}': 1 })
})

test('a refusal is counted by its code; nothing else that fails is', async (t) => {
  const app = await makeApp(t, {
    added: [apiKey],
    modes: ['token'],
  })
  t.same(await movedBy(app, () => me(app, { authorization: 'Bearer junk' })), {
    'cache_lookups_total{mode="token",result="miss"}': 1,
    'refusals_total{reason="TOKEN_INVALID"}': 1,
  })
  const admin = () => app.inject({ url: '/admin', headers: { 'x-api-key': 'alice' } })
  t.same(await movedBy(app, admin), { 'refusals_total{reason="ROLE_REQUIRED"}': 1 })
  t.same(await movedBy(app, () => app.inject('/nowhere')), {})
  t.same(
    await movedBy(app, () => app.inject({ method: 'POST', url: '/sign_in' })),
    {},
    'MODE_UNKNOWN is a mistake of the application',
  )
})

test('the reasons are the codes of the errors that refuse a request', async (t) => {
  const raised = Object.values(errors).map((Raised) => new Raised(''))
  const refusals = raised.filter(({ statusCode = 500 }) => statusCode !== 500)
  t.same([...REASONS].sort(), refusals.map(({ code }) => code).sort())
})

test('a store that fails is counted, and one of the application’s own as well', async (t) => {
  const { store, failing } = faultyStore(createMemoryStore(), { promises: true })
  const app = await makeApp(t, { state: { store } })
  t.not(app.stateStore, store)
  const headers = await enter(app)
  failing.add('isLive')
  t.match(await movedBy(app, () => me(app, headers), ALL), {
    'store_operation_seconds_count{operation="isLive",store="memory"}': 1,
    'store_faults_total{operation="isLive",store="memory"}': 1,
    'refusals_total{reason="STORE_UNAVAILABLE"}': 1,
  })
  failing.clear()
  t.same(await movedBy(app, () => me(app, headers), /^(cache|resolve)_/), {
    'store_operation_seconds_count{operation="isLive",store="memory"}': 1,
  })
})

test('what an application tells in words of its own makes no label', async (t) => {
  const app = await makeApp(t, { added: [apiKey] })
  const ids = { accountId: 'a', signInId: 's' }
  const moved = await movedBy(app, async () => {
    app.audit.emit({ type: 'signed_in', ...ids, mode: 'api-key' })
    app.audit.emit({ type: 'signed_in', ...ids, mode: 'Bearer secret' })
    app.audit.emit({ type: 'throttled', what: 'alice@example.com', by: 'address', accountId: null })
    app.audit.emit({ type: 'password_refused', ...ids, mode: 'alice' })
  })
  t.same(moved, {
    'sign_ins_total{mode="api-key"}': 1,
    'sign_ins_total{mode="other"}': 1,
    'throttled_total{by="address",what="other"}': 1,
    'wrong_passwords_total{mode="other",what="password"}': 1,
  })
  t.notMatch(await app.identityMetrics.text(), /secret|alice/)
})

test('second factors are counted, when they are asked for and when they are wrong', async (t) => {
  const app = await makeApp(t)
  const accountId = 'a'
  const moved = await movedBy(app, async () => {
    app.audit.emit({ type: 'second_factor_asked', accountId, mode: 'cookie' })
    app.audit.emit({ type: 'factor_refused', accountId, kind: 'totp', reason: 'wrong', failures: 1 })
    app.audit.emit({ type: 'throttled', what: 'factor', by: 'device', accountId })
  })
  t.same(moved, {
    'second_factors_asked_total{mode="cookie"}': 1,
    'wrong_factors_total{kind="totp"}': 1,
    'throttled_total{by="device",what="factor"}': 1,
  })
})

test('two applications of one process do not meet, and the global registry stays empty', async (t) => {
  const one = await makeApp(t, { metrics: {} })
  const other = await makeApp(t, { metrics: {} })
  const before = await readSeries(other)
  const moved = await movedBy(one, () => enter(one))
  t.same(moved, { 'sign_ins_total{mode="cookie"}': 1 })
  t.same(await readSeries(other), before)
  const families = parseExposition(await other.identityMetrics.text())
  t.ok(families.some(({ name }) => name === 'process_cpu_seconds_total'))
  await one.close()
  const hashing = () => passwords.hash('what nobody has to know')
  t.same(await movedBy(other, hashing), { hash_seconds_count: 1 })
  t.same(await movedBy(one, hashing), {}, 'closed, it hears of nothing')
  const after = parseExposition(await other.identityMetrics.text())
  t.same(
    after.map(({ name }) => name),
    families.map(({ name }) => name),
  )
  t.same(register.getMetricsAsArray(), [])
})

test('the process’s own metrics can be left out', async (t) => {
  const app = await makeApp(t)
  const families = parseExposition(await app.identityMetrics.text())
  t.equal(families.length, ofSuite(families).size)
})

test('a store without a feed has no metric that says it is down', async (t) => {
  const app = await makeApp(t)
  t.notMatch(await app.identityMetrics.text(), /feed|revocations/)
})

test('a feed of the application’s own is told of', async (t) => {
  let isUp = true
  const listeners = new Set<(change: FeedChange) => void>()
  const feed = {
    healthy: () => isUp,
    onChange(listener: (change: FeedChange) => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
  const app = await makeApp(t, { state: { store: Object.assign(createMemoryStore(), { feed }) } })
  t.match(await readSeries(app), { feed_up: 1, feed_losses_total: 0, revocations: 0 })
  isUp = false
  for (const tell of listeners) tell({ kind: 'feed_lost', reason: 'a test' })
  t.match(await readSeries(app), { feed_up: 0, feed_losses_total: 1 })
})

test('it is heard of in a scope below, too', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(metrics, { process: false })
  await app.register(async (scope) => {
    const options = { secrets: [SECRET], state: { memory: true } as const, accounts: accountSource }
    await scope.register(fastifyIdentity, options)
    scope.post('/sign_in', async (request) => request.signIn('token', ALICE))
    scope.get('/me', { preHandler: scope.guard() }, async () => 'in')
  })
  const moved = await movedBy(app, async () => {
    await app.inject({ method: 'POST', url: '/sign_in' })
    await me(app)
  })
  t.same(moved, {
    'sign_ins_total{mode="token"}': 1,
    'refusals_total{reason="NOT_SIGNED_IN"}': 1,
  })
})

test('without it nothing is wrapped', async (t) => {
  const store = createMemoryStore()
  const app = await makeApp(t, { metrics: undefined, added: [apiKey], state: { store } })
  t.notOk(app.hasDecorator('identityMetrics'))
  t.equal(app.stateStore, store)
  t.equal(app.authModes.get('api-key'), apiKey)
  t.notMatch(app.printPlugins(), /metrics/)
})

test('options that are unknown or out of range refuse to boot, and so does coming too late', async (t) => {
  const wrong = { code: 'OPTION_INVALID' }
  for (const options of [
    { sampling: 0 },
    { sampling: 1.5 },
    { sampling: '2' },
    { process: 1 },
    { prefix_: 'x' },
  ])
    await t.rejects(
      async () => await Fastify().register(metrics, options as object),
      wrong,
      JSON.stringify(options),
    )
  const late = Fastify()
  t.teardown(() => late.close())
  await late.register(stores, { memory: true })
  await t.rejects(async () => await late.register(metrics), { ...wrong, message: /stateStore/ })
  const own = Fastify()
  await own.register(
    fp(async (app) => void app.decorate('audit', { emit: () => {}, subscribe: () => () => {} })),
  )
  await t.rejects(async () => await own.register(metrics), { ...wrong, message: /audit/ })
})
