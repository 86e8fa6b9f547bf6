import { test } from 'tap'
import { boundClient, CENTER, proofKey } from '../helpers/dpop.js'
import { movedBy, ofSuite, parseExposition, readSeries } from '../helpers/exposition.js'
import { ADMIN, listen, MODES, post, refusedByCenter, signIn, USER, userInfo } from '../helpers/http.js'
import { startUserCenter } from '../helpers/user-center.js'

const PRODUCTION = {
  NODE_ENV: 'production',
  SINGLE_INSTANCE: 'true',
  AUTH_SECRETS: 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6',
}

test('they are served to whoever asks, as Prometheus reads them, and kept by no cache', async (t) => {
  const { app } = await startUserCenter(t)
  const answer = await fetch(`http://127.0.0.1:${await listen(app)}/metrics`)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  t.equal(answer.headers.get('cache-control'), 'no-store')
  t.equal(answer.headers.get('set-cookie'), null)
  const families = parseExposition(await answer.text())
  t.ok(families.some(({ name }) => name === 'process_resident_memory_bytes'))
  t.ok(ofSuite(families).size > 10)
})

test('names, types and labels follow Prometheus’ conventions', async (t) => {
  const { app } = await startUserCenter(t)
  await signIn(app, 'token')
  for (const [name, { type, help, samples }] of ofSuite(parseExposition(await app.identityMetrics.text()))) {
    t.match(name, /^[a-z]+(_[a-z]+)*$/, name)
    t.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`)
    t.equal(name.endsWith('_seconds'), type === 'histogram', `${name} is a ${type}`)
    t.notMatch(name, /_(ms|milliseconds|count|sum|bucket)$/, name)
    t.match(help, /^[A-Z].*\.$/, name)
    for (const [series, value] of samples) t.ok(value >= 0, series)
    const buckets = [...samples].filter(([series]) => /_bucket\{le="[^"]+"\}$/.test(series))
    const values = buckets.map(([, value]) => value)
    t.same(
      values,
      values.toSorted((one, other) => one - other),
      `${name} is cumulative`,
    )
  }
})

test('signing in and out moves what belongs to it, and nothing else', async (t) => {
  const { app } = await startUserCenter(t)
  for (const mode of MODES) {
    let credential = {}
    const entered = await movedBy(app, async () => {
      credential = (await signIn(app, mode)).credential
    })
    t.same(entered, { [`sign_ins_total{mode="${mode}"}`]: 1, hash_seconds_count: 1 })
    await userInfo(app, credential)
    t.same(await movedBy(app, () => userInfo(app, credential)), {
      [`cache_lookups_total{mode="${mode}",result="hit"}`]: 1,
    })
    const out = () => post(app, `/logout_${mode}`, {}, credential)
    t.same(await movedBy(app, out), { 'sign_ins_ended_total{reason="signed_out"}': 1 })
    t.same(await movedBy(app, () => userInfo(app, credential)), {
      [`cache_lookups_total{mode="${mode}",result="hit"}`]: 1,
      'refusals_total{reason="SIGNED_OUT"}': 1,
    })
    t.same(await movedBy(app, () => post(app, `/login_${mode}`, { ...USER, password: 'wrong' })), {
      [`wrong_passwords_total{mode="${mode}",what="sign_in"}`]: 1,
      'refusals_total{reason="CREDENTIALS_REFUSED"}': 1,
      hash_seconds_count: 1,
    })
  }
  t.same(await movedBy(app, () => app.inject('/healthz')), {})
})

test('API keys are counted as a mode of their own', async (t) => {
  const { app } = await startUserCenter(t, { LOGIN_LIMIT_ADDRESS: '2' })
  const { credential } = await signIn(app, 'cookie')
  const make = () => post(app, '/api_keys', { name: 'deploy' }, credential)
  const except = /^(store|resolve|cache)_/
  const made = await movedBy(app, make, except)
  t.same(made, { 'sign_ins_total{mode="api_key"}': 1 })
  const { id, key } = (await make()).json().data
  const headers = { authorization: `Bearer ${key}` }
  t.same(await movedBy(app, () => userInfo(app, headers), /^(store|resolve)_/), {
    'cache_lookups_total{mode="api_key",result="hit"}': 1,
  })
  t.same(await movedBy(app, make, except), {
    'throttled_total{by="address",what="api_key"}': 1,
    'refusals_total{reason="THROTTLED"}': 1,
  })
  const end = () => app.inject({ method: 'DELETE', url: `/api_keys/${id}`, headers: credential })
  t.same(await movedBy(app, end, except), { 'sign_ins_ended_total{reason="asked"}': 1 })
})

test('refreshes are counted by their outcome, and theft by what it ends', async (t) => {
  const { app, clock } = await startUserCenter(t)
  const { refreshToken: refresh_token } = await signIn(app, 'token')
  const refresh = () => post(app, '/refresh_token', { refresh_token })
  t.same(await movedBy(app, refresh), { 'refreshes_total{outcome="rotated"}': 1 })
  t.same(await movedBy(app, refresh), { 'refreshes_total{outcome="repeated"}': 1 })
  clock.advance(60)
  t.same(await movedBy(app, refresh), {
    'refreshes_total{outcome="reused"}': 1,
    'sign_ins_ended_total{reason="refresh_reuse"}': 1,
    'refusals_total{reason="REFRESH_REFUSED"}': 1,
  })
})

test('bound sign-ins are counted, and so are copies without their key', async (t) => {
  const { app } = await startUserCenter(t)
  const client = boundClient(app, proofKey(), CENTER)
  const except = /^(store|resolve|cache|hash|refusals)_/
  const enter = () => client.send('POST', '/login_token', { payload: USER })
  t.same(await movedBy(app, enter, except), {
    'sign_ins_total{mode="token"}': 1,
    'bound_sign_ins_total{mode="token"}': 1,
    dpop_proofs: 1,
  })
  const { token } = (await enter()).json().data
  const bare = () => userInfo(app, { authorization: `DPoP ${token}` })
  t.same(await movedBy(app, bare, except), { 'proofs_refused_total{mode="token",reason="missing"}': 1 })
  t.same(await movedBy(app, bare, /^(store|resolve|cache|hash|proofs)_/), {
    'refusals_total{reason="PROOF_INVALID"}': 1,
  })
})

test('a new password raises the epoch; a wrong one, and an attempt too many, are counted', async (t) => {
  const { app } = await startUserCenter(t, { LOGIN_LIMIT_ACCOUNT: '2' })
  const { credential } = await signIn(app, 'cookie')
  const change = (current_password: string) =>
    post(app, '/password', { current_password, new_password: 'a good long one' }, credential)
  const except = /^(store|resolve|cache|hash)_/
  t.same(await movedBy(app, () => change('wrong'), except), {
    'wrong_passwords_total{mode="cookie",what="password"}': 1,
    'refusals_total{reason="CREDENTIALS_REFUSED"}': 1,
  })
  t.same(await movedBy(app, () => change(USER.password), except), { epochs_raised_total: 1 })
  const guess = () => post(app, '/login_token', { ...ADMIN, password: 'wrong' })
  await guess()
  await guess()
  t.same(await movedBy(app, guess), {
    'throttled_total{by="account",what="sign_in"}': 1,
    'refusals_total{reason="THROTTLED"}': 1,
  })
})

test('the hash queue is seen while it is full, and what it shed afterwards', async (t) => {
  const { app } = await startUserCenter(t, { LOGIN_LIMIT_ADDRESS: '1000' })
  const names = Array.from({ length: 100 }, (_, index) => `name${index}`)
  let full = await readSeries(app)
  const moved = await movedBy(
    app,
    async () => {
      const logins = names.map((username) => post(app, '/login_token', { username, password: 'wrong' }))
      while (!full.hash_waiting) {
        await new Promise((resolve) => setImmediate(resolve))
        full = await readSeries(app)
      }
      await Promise.all(logins)
    },
    /^(store|wrong)_/,
  )
  t.ok((full.hash_running ?? 0) >= 1, `${full.hash_running} running`)
  const { hash_seconds_count: hashed = 0, hash_shed_total: shed = 0, ...rest } = moved
  t.ok(shed > 0, `${shed} shed`)
  t.equal(hashed + shed, names.length)
  t.same(rest, {
    'refusals_total{reason="BUSY"}': shed,
    'refusals_total{reason="CREDENTIALS_REFUSED"}': hashed,
  })
  t.match(await readSeries(app), { hash_running: 0, hash_waiting: 0 })
})

test('they tell nothing about anybody', async (t) => {
  const { app } = await startUserCenter(t)
  const newcomer = { username: 'zoe-of-the-test', password: 'what only she knows' }
  await post(app, '/register', newcomer)
  const account = await app.accounts.findByUsername(newcomer.username)
  const secrets = [newcomer.username, newcomer.password, account?.id ?? '', '127.0.0.1', '/user_info']
  for (const mode of MODES) {
    const { credential, refreshToken } = await signIn(app, mode, newcomer)
    const list = await app.inject({ url: '/sign_ins', headers: credential })
    secrets.push(...list.json().data.map(({ id }: { id: string }) => id))
    secrets.push(...Object.values(credential).flatMap((value) => value.split(/^\w+=|[ .]/)), refreshToken)
    await userInfo(app, credential)
    await post(app, `/logout_${mode}`, {}, credential)
    await post(app, `/login_${mode}`, { ...newcomer, password: 'nearly what she knows' })
    await app.inject({
      url: '/user_info?name=zoe-of-the-test',
      headers: { ...credential, cookie: 'session=x' },
    })
  }
  const lines = (await app.inject('/metrics')).body.split('\n')
  // The process's own numbers could be any.
  const told = lines.filter((line) => line.startsWith('fastify_identity_')).join('\n')
  const words = new Set(secrets.filter((secret) => secret.length > 7))
  t.ok(words.size > 12)
  for (const word of words) t.notOk(told.includes(word), word)
})

test('in production they are there only when asked for', async (t) => {
  const { app } = await startUserCenter(t, PRODUCTION)
  refusedByCenter(t, await app.inject('/metrics'), 404, 'NOT_FOUND')
  t.notOk(app.hasDecorator('identityMetrics'))
  t.equal(app.stateStore.constructor.name, 'SqliteStore', 'the store itself')
  const asked = await startUserCenter(t, { ...PRODUCTION, METRICS: 'true' })
  t.equal((await asked.app.inject('/metrics')).statusCode, 200)
  const without = await startUserCenter(t, { METRICS: 'false' })
  refusedByCenter(t, await without.app.inject('/metrics'), 404, 'NOT_FOUND')
})
