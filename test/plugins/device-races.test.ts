import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import type { StateStore } from '../../plugins/lib/stores/contract.js'
import { RedisStore } from '../../plugins/lib/stores/redis/store.js'
import { createSqliteStore } from '../../plugins/lib/stores/sqlite/store.js'
import { deviceApp, proofOf } from '../helpers/device-app.js'
import { startRedis } from '../helpers/redis-server.js'
import { ALICE } from '../helpers/suite.js'

/** `DEVICE_ROUNDS=10000` for the figure. */
const ROUNDS = Number(process.env.DEVICE_ROUNDS ?? 150)
const MODES = ['cookie', 'session'] as const

/** Two stores over one engine, as two instances have them. */
const ENGINES: Record<string, (t: Test) => Promise<readonly [StateStore, StateStore]>> = {
  async sqlite(t) {
    const database = await openDatabase(databaseFile(t.testdir()))
    database.connection.pragma('synchronous = OFF')
    t.teardown(() => database.close())
    const store = createSqliteStore(database)
    return [store, store]
  },
  async redis(t) {
    const server = await startRedis({ tcp: true })
    const clients = [new Redis(server.url), new Redis(server.url)] as const
    t.teardown(async () => {
      for (const client of clients) client.disconnect()
      await server.stop()
    })
    return [new RedisStore(clients[0]), new RedisStore(clients[1])]
  },
}

for (const [engine, open] of Object.entries(ENGINES)) {
  for (const mode of MODES) {
    t.test(
      `${engine}, ${mode}: of ${ROUNDS} sign-outs with a refresh in flight, none is undone`,
      async (t) => {
        const [store, twin] = await open(t)
        const here = await deviceApp(t, { store, cookie: { ttl: 86_400 } })
        const there = await deviceApp(t, { store: twin, clock: here.clock })
        let undone = 0
        let wrong = 0
        for (let round = 0; round < ROUNDS; round++) {
          const client = await here.bound(mode)
          const bound = client.bound.get(proofOf(mode))
          if (!bound) throw new Error('not bound')
          const jar = client.cookies()
          const refresher = (round % 2 ? here : there).browser()
          const refreshing = Array.from({ length: 3 }, () => refresher.refresh({ ...bound }))
          const [signedOut, ...answers] = await Promise.all([client.post(`/sign_out/${mode}`), ...refreshing])
          if (signedOut.statusCode !== 200) throw new Error(signedOut.body)
          if (answers.some(({ statusCode }) => statusCode !== 200 && statusCode !== 401)) wrong++
          // Everything that the browser may hold afterwards, in every order in which the answers may have come.
          const proof = refresher.cookies()
          for (const cookie of [jar, `${jar}; ${proof}`, client.cookies(), proof]) {
            for (const { app } of [here, there])
              if ((await app.inject({ url: '/me', headers: { cookie } })).statusCode === 200) undone++
          }
          if ((await refresher.refresh({ ...bound })).statusCode !== 401) undone++
        }
        t.equal(undone, 0)
        t.equal(wrong, 0)
        t.strictSame(await here.app.signIns.list(ALICE.id), [])
      },
    )
  }
}
