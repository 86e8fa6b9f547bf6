import t, { type Test } from 'tap'
import type { FactorSource } from '../../plugins/factors.js'
import { createFactorSource } from '../../plugins/lib/accounts/factors.js'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { openPostgres } from '../../plugins/lib/database/postgres/database.js'
import { createMemoryStore } from '../../plugins/lib/stores/memory/store.js'
import { buildFactorApp } from '../helpers/own-factor-app.js'
import { PATIENT, startPostgres } from '../helpers/postgres-server.js'
import { TestClock } from '../helpers/suite.js'

t.setTimeout(600_000)

/** `FC_RUNS=10` makes it 1000. */
const PAIRS = 100 * Number(process.env.FC_RUNS ?? 1)
/** They race at once. */
const ACCOUNTS = [...'abcdefghij'].map((letter) => `${letter}lice`)
const UNLIMITED = { accountLimit: 1_000_000, addressLimit: 1_000_000 }

async function onSqlite(t: Test): Promise<FactorSource> {
  const database = await openDatabase(databaseFile(t.testdir()))
  t.teardown(database.close)
  return createFactorSource(database.kysely)
}

async function onPostgres(t: Test): Promise<FactorSource> {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const database = await openPostgres({ databaseUrl: await server.createDatabase(), pool: PATIENT })
  t.teardown(database.close)
  return createFactorSource(database.kysely)
}

/** Two instances with one state and one database of factors. */
async function setUp(t: Test, source: FactorSource) {
  const [store, clock] = [createMemoryStore(), new TestClock()]
  const open = () => buildFactorApp(t, { factors: { source }, store, clock, throttle: UNLIMITED })
  return { here: await open(), there: await open(), clock }
}

type Instances = Awaited<ReturnType<typeof setUp>>

/** Two people with the same code finish their sign-ins at once, each at another instance. @returns the statuses */
async function race(
  { here, there }: Instances,
  account: string,
  kind: 'totp' | 'recovery_code',
  code: string,
) {
  const pendings = await Promise.all([here.login(account), there.login(account)])
  const answers = await Promise.all([
    here.finish(pendings[0].pending, kind, code),
    there.finish(pendings[1].pending, kind, code),
  ])
  return answers
    .map(({ statusCode }) => statusCode)
    .sort()
    .join(' ')
}

for (const [name, open] of Object.entries({ SQLite: onSqlite, PostgreSQL: onPostgres })) {
  t.test(`${name}: only one of two parallel sign-ins with one code succeeds, ${PAIRS} times`, async (t) => {
    const instances = await setUp(t, await open(t))
    const enrolled: { account: string; code: () => string }[] = []
    // In turn, since each moves the clock.
    for (const account of ACCOUNTS) enrolled.push({ account, ...(await instances.here.enrol(account)) })
    const outcomes: string[] = []
    while (outcomes.length < PAIRS) {
      instances.clock.now += 60_000
      const races = enrolled.map(({ account, code }) => race(instances, account, 'totp', code()))
      outcomes.push(...(await Promise.all(races)))
    }
    t.equal(outcomes.length, PAIRS)
    t.same([...new Set(outcomes)], ['200 401'])
  })

  t.test(
    `${name}: only one of two parallel sign-ins with one recovery code succeeds, ${PAIRS} times`,
    async (t) => {
      const instances = await setUp(t, await open(t))
      for (const account of ACCOUNTS) await instances.here.enrol(account)
      const outcomes: string[] = []
      const spendAll = async (account: string) => {
        for (const code of await instances.here.app.factors.newRecoveryCodes(account))
          outcomes.push(await race(instances, account, 'recovery_code', code))
      }
      while (outcomes.length < PAIRS) await Promise.all(ACCOUNTS.map(spendAll))
      t.equal(outcomes.length, PAIRS)
      t.same([...new Set(outcomes)], ['200 401'])
    },
  )

  t.test(`${name}: different recovery codes at once are all good`, async (t) => {
    const { here, there } = await setUp(t, await open(t))
    const { recoveryCodes } = await here.enrol('alice')
    const answers = await Promise.all(
      recoveryCodes.map((code, n) => (n % 2 ? here : there).verify('alice', 'recovery_code', code)),
    )
    const left: number[] = answers.map((answer) => answer.json().verified?.left)
    t.same(left.sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  t.test(`${name}: of three codes at once, an older one never works after a newer one`, async (t) => {
    const { here, there, clock } = await setUp(t, await open(t))
    const { code } = await here.enrol('alice')
    for (let round = 0; round < 50; round += 1) {
      clock.now += 300_000
      const answers = await Promise.all([
        here.verify('alice', 'totp', code(1)),
        there.verify('alice', 'totp', code(0)),
        here.verify('alice', 'totp', code(-1)),
      ])
      t.ok(answers[0]?.json().verified, 'the newest one is good whatever comes first')
      for (const ahead of [-1, 0, 1])
        t.notOk((await there.verify('alice', 'totp', code(ahead))).json().verified)
    }
  })
}
