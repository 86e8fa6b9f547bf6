import type { Test } from 'tap'
import { createAccounts } from '../plugins/lib/accounts/accounts.js'
import type { Accounts, NewAccount, RaisedAccount } from '../plugins/lib/accounts/contract.js'
import { createEpochLedger } from '../plugins/lib/accounts/epoch-ledger.js'
import type { EmbeddedDatabase } from '../plugins/lib/database.js'
import { StoreUnavailable } from '../plugins/lib/errors.js'
import type { Passwords } from '../plugins/lib/passwords.js'

/** A migrated database that nobody else uses; it ends with the test. */
export type OpenDatabase = (t: Test) => Promise<Pick<EmbeddedDatabase, 'kysely'>>

const START = Date.UTC(2030, 0, 1)
const NOBODY = 'A'.repeat(22)

/** Quick, and it counts: what argon2 costs is tested where it is used. */
function countingPasswords() {
  const verified: (string | null)[] = []
  const passwords: Passwords = {
    hash: async (password) => `hash of ${password}`,
    async verify(hash, password) {
      verified.push(hash)
      return hash === `hash of ${password}`
    },
  }
  return { verified, passwords }
}

async function start(t: Test, open: OpenDatabase) {
  const { kysely: db } = await open(t)
  const { verified, passwords } = countingPasswords()
  const time = { now: START }
  const accounts = createAccounts({ db, passwords, clock: () => time.now })
  const stored = () => db.selectFrom('accounts').selectAll().orderBy('canonical').execute()
  return { accounts, verified, passwords, time, stored, db }
}

const alice: NewAccount = { username: 'Alice', password: 'correct horse', role: 'user' }

async function idOf(accounts: Accounts, username: string): Promise<string> {
  return (await accounts.findByUsername(username))?.id ?? ''
}

/** What every database must do for accounts. */
export function testAccountContract(t: Test, open: OpenDatabase): void {
  t.test('an account is found by any spelling of its name, and by its id', async (t) => {
    const { accounts } = await start(t, open)
    const created = await accounts.create({ ...alice, username: 'Zoë' })
    t.match(created.id, /^[\w-]{22}$/)
    t.same(created, { id: created.id, username: 'Zoë', role: 'user', epoch: 1 })
    const details = { ...created, disabled: false, createdAt: START, updatedAt: START }
    for (const spelling of ['Zoë', 'ZOË', 'zoe\u0308']) {
      t.same(await accounts.verify(spelling, 'correct horse'), created)
      t.same(await accounts.findByUsername(spelling), details)
    }
    t.same(await accounts.find(created.id), created)
    t.ok(Object.isFrozen(created))
    t.equal(await accounts.find(NOBODY), null)
    t.equal(await accounts.findByUsername('zoe'), null)
    t.equal(await accounts.findByUsername('zoë '), null)
  })

  t.test('nothing that is handed out holds the hash', async (t) => {
    const { accounts } = await start(t, open)
    const { id } = await accounts.create(alice)
    const handed = [
      await accounts.verify('alice', 'correct horse'),
      await accounts.find(id),
      await accounts.findByUsername('alice'),
      await accounts.list({ limit: 10 }),
      await accounts.setRole(id, 'admin'),
      await accounts.changePassword(id, 'correct horse', 'battery staple'),
    ]
    t.notOk(handed.includes(null))
    t.notMatch(JSON.stringify(handed), /hash/)
  })

  t.test('an avatar is part of the profile', async (t) => {
    const { accounts, db } = await start(t, open)
    const { id } = await accounts.create(alice)
    await db.updateTable('accounts').set({ avatar: '/alice.png' }).execute()
    t.match(await accounts.find(id), { avatar: '/alice.png' })
  })

  t.test(
    'wrong, unknown, impossible and disabled names cost one verification each, and get one answer',
    async (t) => {
      const { accounts, verified } = await start(t, open)
      await accounts.create(alice)
      const { id } = await accounts.create({ ...alice, username: 'gone' })
      await accounts.setDisabled(id, true)
      const hash = 'hash of correct horse'
      const cases = [
        ['alice', 'wrong horse', hash],
        ['nobody', 'correct horse', null],
        ['bad\nname', 'correct horse', null],
        ['gone', 'correct horse', hash],
      ] as const
      for (const [username, password, against] of cases) {
        t.equal(await accounts.verify(username, password), null, username)
        t.same(verified.splice(0), [against])
      }
    },
  )

  t.test('of several who ask for one name at once, one gets it', async (t) => {
    const { accounts, stored } = await start(t, open)
    const names = ['Bob', 'bob', 'BOB', 'ｂｏｂ', 'bOb']
    const results = await Promise.allSettled(
      names.map((username, index) => accounts.create({ ...alice, username, password: `password ${index}` })),
    )
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    t.equal(refused.length, names.length - 1)
    for (const reason of refused) t.match(reason, { code: 'USERNAME_TAKEN', statusCode: 409 })
    t.equal((await stored()).length, 1)
  })

  t.test('what is no name makes no account', async (t) => {
    const { accounts, stored } = await start(t, open)
    for (const username of ['', ' bob', 'bob\0', 'x'.repeat(65)]) {
      await t.rejects(accounts.create({ ...alice, username }), { code: 'USERNAME_INVALID', statusCode: 400 })
    }
    t.same(await stored(), [])
  })

  t.test('names that look like an attack are names', async (t) => {
    const { accounts } = await start(t, open)
    const names = [
      "' OR 1=1 --",
      '__proto__',
      'constructor',
      'toString',
      '%',
      '_',
      "'; DROP TABLE accounts;",
      '{{7*7}}',
    ]
    for (const username of names) {
      t.equal(await accounts.verify(username, 'correct horse'), null)
      await accounts.create({ ...alice, username })
      t.match(await accounts.verify(username, 'correct horse'), { username })
    }
    t.equal(await accounts.count(), names.length)
    t.equal(await accounts.find("' OR '1'='1"), null)
  })

  t.test('an account that is deleted and made anew has another id', async (t) => {
    const { accounts, db } = await start(t, open)
    const before = await accounts.create(alice)
    await db.deleteFrom('accounts').where('id', '=', before.id).execute()
    const after = await accounts.create(alice)
    t.not(after.id, before.id)
    t.equal(await accounts.find(before.id), null)
  })

  t.test('a new password replaces the old one and raises the epoch', async (t) => {
    const { accounts, time, stored } = await start(t, open)
    const { id } = await accounts.create(alice)
    time.now += 5000
    t.match(await accounts.changePassword(id, 'correct horse', 'battery staple'), { id, epoch: 2 })
    t.equal(await accounts.verify('alice', 'correct horse'), null)
    t.match(await accounts.verify('alice', 'battery staple'), { id, epoch: 2 })
    t.match(await stored(), [{ created_at: START, updated_at: START + 5000 }])
  })

  t.test('without the current password nothing changes', async (t) => {
    const { accounts, stored, verified } = await start(t, open)
    const { id } = await accounts.create(alice)
    const gone = await accounts.create({ ...alice, username: 'gone' })
    await accounts.setDisabled(gone.id, true)
    const before = await stored()
    t.equal(await accounts.changePassword(id, 'wrong horse', 'battery staple'), null)
    t.equal(await accounts.changePassword(gone.id, 'correct horse', 'battery staple'), null)
    t.equal(await accounts.changePassword(NOBODY, 'correct horse', 'battery staple'), null)
    t.same(verified, ['hash of correct horse', null, null])
    t.same(await stored(), before)
  })

  t.test('of two changes granted on one old password, one is stored', async (t) => {
    const { accounts, stored } = await start(t, open)
    const { id } = await accounts.create(alice)
    const changes = await Promise.all([
      accounts.changePassword(id, 'correct horse', 'first staple'),
      accounts.changePassword(id, 'correct horse', 'second staple'),
    ])
    t.equal(changes.filter((changed) => changed === null).length, 1)
    t.match(await stored(), [{ epoch: 2 }])
  })

  t.test('an account disabled while its password changes keeps the old one', async (t) => {
    const { accounts, stored, db, passwords } = await start(t, open)
    const { id } = await accounts.create(alice)
    const slow: Passwords = {
      ...passwords,
      async hash(password) {
        await accounts.setDisabled(id, true)
        return passwords.hash(password)
      },
    }
    const racing = createAccounts({ db, passwords: slow, clock: () => START })
    t.equal(await racing.changePassword(id, 'correct horse', 'battery staple'), null)
    t.match(await stored(), [{ password_hash: 'hash of correct horse', epoch: 2, disabled: 1 }])
  })

  t.test('a login with the old password that races a change carries the old epoch', async (t) => {
    const { accounts, db, passwords } = await start(t, open)
    const { id } = await accounts.create(alice)
    const slow: Passwords = {
      ...passwords,
      async verify(hash, password) {
        await accounts.changePassword(id, 'correct horse', 'battery staple')
        return passwords.verify(hash, password)
      },
    }
    const racing = createAccounts({ db, passwords: slow, clock: () => START })
    t.match(await racing.verify('alice', 'correct horse'), { id, epoch: 1 })
    t.match(await accounts.find(id), { epoch: 2 })
  })

  t.test('a role and the disabled flag are changed with the epoch', async (t) => {
    const { accounts } = await start(t, open)
    const { id } = await accounts.create(alice)
    t.same(await accounts.setRole(id, 'admin'), { id, username: 'Alice', role: 'admin', epoch: 2 })
    t.match(await accounts.setDisabled(id, true), { id, epoch: 3 })
    t.equal(await accounts.find(id), null)
    t.equal(await accounts.verify('alice', 'correct horse'), null)
    t.match(await accounts.findByUsername('alice'), { id, role: 'admin', disabled: true, epoch: 3 })
    t.match(await accounts.setDisabled(id, false), { id, epoch: 4 })
    t.match(await accounts.verify('alice', 'correct horse'), { id, role: 'admin', epoch: 4 })
    t.equal(await accounts.setRole(NOBODY, 'admin'), null)
    t.equal(await accounts.setDisabled(NOBODY, true), null)
  })

  t.test('signing out everywhere raises the epoch and changes nothing else', async (t) => {
    const { accounts, stored } = await start(t, open)
    const { id } = await accounts.create(alice)
    t.same(await accounts.raiseEpoch(id), { id, username: 'Alice', role: 'user', epoch: 2 })
    t.match(await stored(), [{ password_hash: 'hash of correct horse', role: 'user', disabled: 0, epoch: 2 }])
    t.equal(await accounts.raiseEpoch(NOBODY), null)
  })

  t.test(
    'a change is told of, with who is spared, after it is stored and before it is answered',
    async (t) => {
      const { db, passwords } = await start(t, open)
      const told: RaisedAccount[] = []
      const accounts = createAccounts({
        ...{ db, passwords, clock: () => START },
        async onRaised(raised) {
          t.match(await accounts.findByUsername('alice'), { epoch: raised.account.epoch })
          told.push(raised)
        },
      })
      const { id } = await accounts.create(alice)
      const changed = await accounts.changePassword(id, 'correct horse', 'battery staple', 'sign-in-1')
      t.same(told, [{ account: changed, spare: 'sign-in-1' }])
      t.equal(await accounts.changePassword(id, 'correct horse', 'other staple', 'sign-in-1'), null)
      await accounts.setRole(id, 'admin')
      await accounts.setDisabled(id, true)
      await accounts.raiseEpoch(id)
      await accounts.raiseEpoch(NOBODY)
      t.match(
        told.slice(1),
        [3, 4, 5].map((epoch) => ({ account: { id, epoch }, spare: null })),
      )
      t.equal(told.length, 4)
    },
  )

  t.test('what cannot be told fails the change, and stays in the ledger until it is settled', async (t) => {
    const { db, passwords } = await start(t, open)
    const ledger = createEpochLedger(db)
    const onRaised = () => Promise.reject(new StoreUnavailable())
    const accounts = createAccounts({ db, passwords, clock: () => START, onRaised })
    const { id } = await accounts.create(alice)
    const bob = await accounts.create({ ...alice, username: 'bob' })
    t.same(await ledger.pending(10), [], 'a new account has nothing to tell')
    const change = accounts.changePassword(id, 'correct horse', 'battery staple', 'sign-in-1')
    await t.rejects(change, { code: 'STORE_UNAVAILABLE' })
    const second = { account: { id, username: 'Alice', role: 'user', epoch: 2 }, spare: 'sign-in-1' }
    t.same(await ledger.pending(10), [second])
    await t.rejects(accounts.setRole(id, 'admin'), { code: 'STORE_UNAVAILABLE' })
    await t.rejects(accounts.raiseEpoch(bob.id), { code: 'STORE_UNAVAILABLE' })
    const third = { account: { id, username: 'Alice', role: 'admin', epoch: 3 }, spare: null }
    const pending = await ledger.pending(10)
    t.equal(pending.length, 2, 'one entry for each account: the last one, who was spared before is not')
    t.match(
      pending.find(({ account }) => account.id === id),
      third,
    )
    t.equal((await ledger.pending(1)).length, 1)
    await ledger.settle(second)
    t.equal((await ledger.pending(10)).length, 2, 'an earlier one settles nothing')
    await ledger.settle(third)
    await ledger.settle(second)
    t.match(await ledger.pending(10), [{ account: { id: bob.id } }], 'and takes nothing back')
  })

  t.test('changes at one moment each raise the epoch', async (t) => {
    const { accounts, stored } = await start(t, open)
    const { id } = await accounts.create(alice)
    await Promise.all(Array.from({ length: 20 }, () => accounts.setRole(id, 'admin')))
    t.match(await stored(), [{ epoch: 21 }])
  })

  t.test('a change touches one account only', async (t) => {
    const { accounts, stored } = await start(t, open)
    await accounts.create(alice)
    await accounts.create({ ...alice, username: 'bob' })
    const [, bob] = await stored()
    await accounts.setRole(await idOf(accounts, 'alice'), 'admin')
    t.same((await stored()).at(1), bob)
  })

  t.test('accounts are listed in pages, in the order of their names', async (t) => {
    const { accounts } = await start(t, open)
    t.same(await accounts.list({ limit: 2 }), { accounts: [], next: null })
    for (const username of ['delta', 'Alpha', 'echo', 'Charlie', 'bravo']) {
      await accounts.create({ ...alice, username })
    }
    const pages: string[][] = []
    let after: string | null = null
    do {
      const page = await accounts.list({ limit: 2, after })
      pages.push(page.accounts.map(({ username }) => username))
      after = page.next
    } while (after !== null)
    t.same(pages, [['Alpha', 'bravo'], ['Charlie', 'delta'], ['echo']])
    t.equal((await accounts.list({ limit: 5 })).next, null, 'a full last page is the last')
    for (const after of ['bravo', 'bravo\0', 'bravo\0\nx', "c'; --", 'bravo\ud800']) {
      const { accounts: rest } = await accounts.list({ limit: 1, after })
      t.match(rest, [{ username: 'Charlie' }], JSON.stringify(after))
    }
    t.equal(await accounts.count(), 5)
  })
}
