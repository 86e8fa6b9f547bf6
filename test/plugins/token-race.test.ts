import t, { type Test } from 'tap'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { closeRedis, firstAttempt, openRedis } from '../../plugins/lib/stores/redis/client.js'
import { RedisStore } from '../../plugins/lib/stores/redis/store.js'
import { createSqliteStore } from '../../plugins/lib/stores/sqlite/store.js'
import { startRedis } from '../helpers/redis-server.js'
import { START, tokenApp } from '../helpers/token-app.js'

/** Two stores onto the same state, as two instances have; one process at a time serves an embedded file. */
type Opened = readonly [StateStore, StateStore]

async function memory(): Promise<Opened> {
  const store = createMemoryStore()
  return [store, store]
}

async function sqlite(t: Test): Promise<Opened> {
  const database = await openDatabase(databaseFile(t.testdir()))
  t.teardown(() => database.close())
  const store = createSqliteStore(database)
  return [store, store]
}

async function redis(t: Test): Promise<Opened> {
  const server = await startRedis()
  t.teardown(() => server.stop())
  const open = async () => {
    const client = openRedis(server.url, { commandTimeout: 10_000 })
    t.teardown(() => closeRedis(client))
    await firstAttempt(client, 5000)
    return new RedisStore(client, { commandTimeout: 10_000 })
  }
  return [await open(), await open()]
}

async function instances(t: Test, [first, second]: Opened, refreshGrace = 10) {
  const clock = { now: START }
  const token = { refreshGrace }
  const here = await tokenApp(t, { store: first, clock, token })
  const there = await tokenApp(t, { store: second, clock, token })
  const refreshAll = (refreshToken: string, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, index) => (index % 2 === 0 ? here : there).refresh(refreshToken)),
    )
  return { here, there, clock, refreshAll }
}

for (const [name, open] of Object.entries({ memory, sqlite, redis })) {
  t.test(`${name}: 100 concurrent refreshes of one token have one live descendant`, async (t) => {
    const { here, there, clock, refreshAll } = await instances(t, await open(t))
    const first = await here.login()
    const answers = await refreshAll(first.refreshToken, 100)
    t.ok(answers.every(({ statusCode }) => statusCode === 200))
    const successors = new Set(answers.map((answer) => answer.json().refreshToken))
    t.equal(successors.size, 1, 'everybody got the same successor')
    const [successor] = successors
    clock.now += 10_000
    const next = await there.refresh(String(successor))
    t.equal(next.statusCode, 200, 'which works')
    const replay = await here.refresh(first.refreshToken)
    t.equal(replay.statusCode, 401)
    t.equal(replay.json().code, 'REFRESH_REFUSED')
    t.equal((await there.refresh(next.json().refreshToken)).statusCode, 401, 'and dies by the replay')
  })

  t.test(`${name}: without a grace 100 concurrent refreshes leave none alive`, async (t) => {
    const { here, there, refreshAll } = await instances(t, await open(t), 0)
    const first = await here.login()
    const answers = await refreshAll(first.refreshToken, 100)
    const granted = answers.filter(({ statusCode }) => statusCode === 200)
    t.ok(granted.length <= 1, 'one at most was granted')
    t.ok(answers.every((answer) => answer.statusCode === 200 || answer.json().code === 'REFRESH_REFUSED'))
    for (const answer of granted) {
      t.equal((await there.refresh(answer.json().refreshToken)).statusCode, 401)
      t.equal((await there.me(answer.json().token)).json().code, 'SIGNED_OUT')
    }
  })

  t.test(`${name}: a logout among concurrent refreshes wins`, async (t) => {
    const { here, there, refreshAll } = await instances(t, await open(t))
    const first = await here.login()
    const [answers, logout] = await Promise.all([
      refreshAll(first.refreshToken, 40),
      there.logout(first.token),
    ])
    t.equal(logout.statusCode, 200)
    for (const answer of answers.filter(({ statusCode }) => statusCode === 200)) {
      t.equal((await here.me(answer.json().token)).json().code, 'SIGNED_OUT')
      t.equal((await here.refresh(answer.json().refreshToken)).statusCode, 401)
    }
    t.equal((await there.refresh(first.refreshToken)).statusCode, 401)
  })
}
