import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { createFactorSource } from '../../plugins/lib/accounts/factors.js'
import { createKeyRing } from '../../plugins/lib/credentials/keys.js'
import type { AccountsDatabase } from '../../plugins/lib/database/accounts-database.js'
import { databaseFile, openDatabase } from '../../plugins/lib/database/embedded.js'
import { openPostgres } from '../../plugins/lib/database/postgres/database.js'
import { FactorSeal } from '../../plugins/lib/factors/seal.js'
import { PATIENT, startPostgres } from '../helpers/postgres-server.js'
import { modulePath } from '../helpers/processes.js'
import { runCommand } from '../helpers/terminal.js'

t.setTimeout(600_000)

const OLD = 'kPz3Vt9_QyX2mWc7HsB4nLd8RfJ1gTa6'
const NEW = 'hVq8Lm2_ZxC5nRt7YsD3kPw9QbG4fJe1'
const KEYS = { old: [OLD], both: [NEW, OLD], new: [NEW] } as const
const BIN = modulePath('../../plugins/bin/fastify-identity', import.meta.url)
const sealOf = (name: keyof typeof KEYS) => new FactorSeal(createKeyRing(KEYS[name]).purpose('factor'))
const OLD_KEY = sealOf('old').keys.signing.id

interface Place {
  readonly database: AccountsDatabase
  readonly env: Readonly<Record<string, string>>
}

async function onSqlite(t: Test): Promise<Place> {
  const dataDir = t.testdir()
  const database = await openDatabase(databaseFile(dataDir))
  t.teardown(database.close)
  return { database, env: { DATA_DIR: dataDir, SINGLE_INSTANCE: 'true' } }
}

async function onPostgres(t: Test): Promise<Place> {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  const DATABASE_URL = await server.createDatabase()
  const database = await openPostgres({ databaseUrl: DATABASE_URL, pool: PATIENT })
  t.teardown(database.close)
  return { database, env: { DATABASE_URL, SINGLE_INSTANCE: 'true' } }
}

/** Factors of many accounts, sealed by the old secret, and one set of recovery codes. */
async function setUp(t: Test, open: (t: Test) => Promise<Place>, count: number) {
  const { database, env } = await open(t)
  const source = createFactorSource(database.kysely)
  const secrets = new Map<string, string>()
  const rows = Array.from({ length: count }, (_, n) => {
    const own = { id: `totp-${n}`, accountId: `account-${n}` }
    secrets.set(own.id, `SECRET${n}`)
    const { secret, keyId } = sealOf('old').seal(own, `SECRET${n}`)
    const times = { counter: n, created_at: n, last_used_at: null }
    return { id: own.id, account_id: own.accountId, kind: 'totp', name: '', secret, key_id: keyId, ...times }
  })
  const codes = { id: 'rc_1', account_id: 'account-1', kind: 'recovery_code', name: '', key_id: null }
  const all = [...rows, { ...codes, secret: '["x"]', counter: 7, created_at: 1, last_used_at: null }]
  for (let from = 0; from < all.length; from += 500)
    await database.kysely
      .insertInto('factors')
      .values(all.slice(from, from + 500))
      .execute()
  const wrong = async (name: keyof typeof KEYS) => {
    const found = await database.kysely
      .selectFrom('factors')
      .select('id')
      .where('kind', '=', 'totp')
      .execute()
    const opened = await Promise.all(
      found.map(async ({ id }) => {
        const factor = await source.find(id)
        return factor && sealOf(name).open(factor) === secrets.get(id)
      }),
    )
    return opened.filter((isRight) => !isRight).length + (count - opened.length)
  }
  const run = (name: keyof typeof KEYS, args = ['keys', 'reseal']) =>
    runCommand(args, { env: { ...env, AUTH_SECRETS: KEYS[name].join(',') } })
  return { database, source, env, wrong, run }
}

for (const [name, open] of Object.entries({ SQLite: onSqlite, PostgreSQL: onPostgres })) {
  t.test(`${name}: every secret moves to the first key, and keeps everything else`, async (t) => {
    const { source, run, wrong } = await setUp(t, open, 250)
    const before = await source.find('totp-7')
    const { status, stdout, stderr } = await run('both')
    t.same({ status, stderr }, { status: 0, stderr: '' })
    t.match(stdout, 'Second factors sealed again: 250.\nSecond factors under the first secret: 250.\n')
    t.same([...(await source.sealedBy()).values()], [250])
    t.equal(await wrong('new'), 0)
    const { secret: _, keyId: __, ...kept } = (await source.find('totp-7')) ?? {}
    t.match(before, kept)
    t.match(await source.find('rc_1'), { secret: '["x"]', keyId: null, counter: 7 })
    t.same(
      (await run('new')).stdout,
      'Second factors under the first secret: 250.\n',
      'there is nothing left',
    )
    t.notMatch(stdout, /SECRET|kPz3|hVq8/)
  })

  t.test(`${name}: without the old secret nothing changes, and the key is named`, async (t) => {
    const { run, wrong } = await setUp(t, open, 3)
    const { status, stderr } = await run('new')
    t.equal(status, 1)
    t.match(stderr, `${OLD_KEY} (seals 3)`)
    t.equal(await wrong('old'), 0)
  })

  t.test(`${name}: altered rows are counted, and do not hold up the others`, async (t) => {
    const { database, run, source } = await setUp(t, open, 260)
    // They come first, and fill a batch.
    const altered = Array.from({ length: 120 }, (_, n) => `totp-${100 + n}`)
    const query = database.kysely.updateTable('factors').set({ secret: 'altered' }).where('id', 'in', altered)
    await query.execute()
    const { status, stdout, stderr } = await run('both')
    t.equal(status, 1)
    t.match(stdout, 'Second factors under the first secret: 140.')
    t.match(stderr, 'were altered, and cannot be opened: 120.')
    t.equal((await source.sealedBy()).get(OLD_KEY), 120)
  })

  t.test(`${name}: killed half-way, it loses nothing, and goes on`, async (t) => {
    const { env, run, source, wrong } = await setUp(t, open, 3000)
    const child = spawn(process.execPath, [...process.execArgv, BIN, 'keys', 'reseal'], {
      env: { ...process.env, ...env, AUTH_SECRETS: KEYS.both.join(',') },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const left = (await source.sealedBy()).get(OLD_KEY) ?? 0
    t.ok(left > 0 && left < 3000, `${left} were left`)
    t.equal(await wrong('both'), 0, 'each can be opened')
    const { status, stdout } = await run('both')
    t.equal(status, 0)
    t.match(stdout, 'Second factors under the first secret: 3000.')
    t.equal(await wrong('new'), 0)
  })

  t.test(`${name}: the doctor counts what each secret still seals`, async (t) => {
    const { run } = await setUp(t, open, 4)
    const doctor = (keys: keyof typeof KEYS) => run(keys, ['doctor'])
    const alone = (await doctor('old')).stdout
    t.match(alone, /^ok +AUTH_SECRETS: The first secret seals 4 second factors\.$/m)
    t.match((await doctor('both')).stdout, /^warning AUTH_SECRETS: Secret number 2 still seals 4/m)
    const lost = await doctor('new')
    t.equal(lost.status, 1)
    t.match(lost.stdout, new RegExp(`^fault +AUTH_SECRETS: .*${OLD_KEY} \\(seals 4\\)`, 'm'))
    t.equal((await run('both')).status, 0)
    t.match((await doctor('new')).stdout, /^ok +AUTH_SECRETS: The first secret seals 4/m)
  })
}

t.test('it takes no arguments', async (t) => {
  const { status, stderr } = await runCommand(['keys', 'reseal', NEW], { env: {} })
  t.equal(status, 2)
  t.notMatch(stderr, NEW)
})
