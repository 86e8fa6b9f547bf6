import type { Test } from 'tap'
import { createAccounts } from '../plugins/lib/accounts/accounts.js'
import type { Accounts, NewAccount, RaisedAccount } from '../plugins/lib/accounts/contract.js'
import { createEpochLedger } from '../plugins/lib/accounts/epoch-ledger.js'
import type { Passwords } from '../plugins/lib/accounts/passwords.js'
import type { EmbeddedDatabase } from '../plugins/lib/database/embedded.js'
import { Busy, StoreUnavailable } from '../plugins/lib/errors.js'
import { START } from './helpers/clock.js'

/** A migrated database that nobody else uses; it ends with the test. */
export type OpenDatabase = (t: Test) => Promise<Pick<EmbeddedDatabase, 'kysely'>>

const NOBODY = 'A'.repeat(22)

/** Quick, and it counts: what argon2 costs is tested where it is used. */
function countingPasswords() {
  const verified: (string | null)[] = []
  const passwords: Passwords = {
    hash: async (password) => `hash of ${password}`,
    async verify(hash, password) {
      verified.push(hash)
      return hash === `hash of ${password}` || hash === `weak hash of ${password}`
    },
    isOutdated: (hash) => hash.startsWith('weak'),
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

/** An account with a hash from weaker times. */
async function createOutdated({ accounts, db }: Awaited<ReturnType<typeof start>>): Promise<string> {
  const { id } = await accounts.create(alice)
  const weak = { password_hash: 'weak hash of correct horse' }
  await db.updateTable('accounts').set(weak).where('id', '=', id).execute()
  return id
}

const LAST_ADMIN = { code: 'LAST_ADMIN', statusCode: 409 }

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
    t.same(await accounts.find(created.id), { ...created, spared: null })
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
      await accounts.update(id, { role: 'admin' }),
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

  t.test('a display name is part of the profile, ends no sign-in, and may be removed', async (t) => {
    const { accounts, time, db } = await start(t, open)
    const { id, ...created } = await accounts.create(alice)
    time.now += 1
    const named = { ...created, id, displayName: 'Zoë' }
    t.same(await accounts.setDisplayName(id, ' Zoe\u0308 '), named, 'in NFC, without the spaces')
    t.same(await accounts.find(id), { ...named, spared: null })
    t.match(await accounts.findByUsername('alice'), { ...named, epoch: 1, updatedAt: START + 1 })
    await t.rejects(accounts.setDisplayName(id, '\u202e'), { code: 'DISPLAY_NAME_INVALID', statusCode: 400 })
    t.match(await accounts.find(id), { displayName: 'Zoë' })
    t.same(await accounts.setDisplayName(id, null), { ...created, id })
    t.equal(await accounts.setDisplayName(NOBODY, 'Zoë'), null)
    await accounts.setDisabled(id, true)
    t.equal(await accounts.setDisplayName(id, 'Zoë'), null, 'a disabled account changes nothing')
    t.match(await db.selectFrom('accounts').select('display_name').execute(), [{ display_name: null }])
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

  t.test('an operator sets and removes the e-mail address, which ends no sign-in', async (t) => {
    const { accounts, stored } = await start(t, open)
    const { id } = await accounts.create(alice)
    await accounts.create({ ...alice, username: 'Bob' })
    t.same(await accounts.setEmail(id, 'Alice@BÜCHER.example'), { previous: null })
    const email = 'Alice@xn--bcher-kva.example'
    t.match(await accounts.find(id), { email, epoch: 1 })
    t.match(await stored(), [{ email, email_key: email.toLowerCase() }, { email: null }])
    for (const typed of [
      '',
      'alice',
      'a@mail.example\r\nBcc: b@mail.example',
      'a@mail.example,b@mail.example',
    ])
      await t.rejects(accounts.setEmail(id, typed), { code: 'EMAIL_INVALID', statusCode: 400 })
    t.same(await accounts.setEmail(id, null), { previous: email })
    t.notHas(await accounts.find(id), { email })
    t.equal(await accounts.setEmail(NOBODY, email), null)
    await accounts.setDisabled(id, true)
    t.same(await accounts.setEmail(id, email), { previous: null }, 'disabled or not')
  })

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
    t.equal(await accounts.find('a\0'), null)
    t.equal(await accounts.find('\ud800'), null)
  })

  t.test('an account that is deleted and made anew has another id', async (t) => {
    const { accounts, db } = await start(t, open)
    const before = await accounts.create(alice)
    await db.deleteFrom('accounts').where('id', '=', before.id).execute()
    const after = await accounts.create({ ...alice, password: 'battery staple' })
    t.not(after.id, before.id)
    t.equal(await accounts.find(before.id), null)
    t.equal(await accounts.verify('alice', 'correct horse'), null)
    t.equal(await accounts.changePassword(before.id, 'battery staple', 'another one'), null)
    t.equal(await accounts.update(before.id, { role: 'admin' }), null)
    t.equal(await accounts.update(before.id, { disabled: true }), null)
    t.same(await accounts.verify('alice', 'battery staple'), after)
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
    await accounts.create({ ...alice, username: 'root', role: 'admin' })
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
      await accounts.create({ ...alice, username: 'root', role: 'admin' })
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

  t.test('role and disabled flag together raise the epoch once; what is left out stays', async (t) => {
    const { accounts, time } = await start(t, open)
    await accounts.create({ ...alice, username: 'root', role: 'admin' })
    const { id } = await accounts.create(alice)
    time.now += 5000
    const times = { createdAt: START, updatedAt: time.now }
    const both = { id, username: 'Alice', role: 'admin', epoch: 2, disabled: true, ...times }
    t.strictSame(await accounts.update(id, { role: 'admin', disabled: true }), both)
    t.strictSame(await accounts.update(id, { role: 'user' }), { ...both, role: 'user', epoch: 3 })
    t.match(await accounts.update(id, { disabled: false }), { role: 'user', disabled: false, epoch: 4 })
    t.match(await accounts.update(id, { disabled: false }), { epoch: 5 }, 'also where nothing else changes')
    t.match(await accounts.findByUsername('root'), { epoch: 1, role: 'admin' })
  })

  t.test('the last administrator can neither be demoted nor disabled', async (t) => {
    const { accounts, stored } = await start(t, open)
    const { id } = await accounts.create({ ...alice, role: 'admin' })
    const other = await accounts.create({ ...alice, username: 'bob', role: 'admin' })
    await accounts.create({ ...alice, username: 'carol' })
    t.match(await accounts.update(other.id, { disabled: true }), { epoch: 2 }, 'there is another')
    const before = await stored()
    for (const change of [
      { role: 'user' },
      { disabled: true },
      { role: 'user', disabled: true },
      { role: 'admin', disabled: true },
    ] as const) {
      await t.rejects(accounts.update(id, change), LAST_ADMIN, 'one who is disabled does not count')
    }
    await t.rejects(accounts.setRole(id, 'user'), LAST_ADMIN)
    await t.rejects(accounts.setDisabled(id, true), LAST_ADMIN)
    t.same(await stored(), before)
    t.match(
      await accounts.update(id, { role: 'admin', disabled: false }),
      { epoch: 2 },
      'nothing is taken away',
    )
    t.match(
      await accounts.update(other.id, { role: 'user' }),
      { epoch: 3 },
      'one who is disabled may be demoted',
    )
    const carol = await idOf(accounts, 'carol')
    t.match(await accounts.update(carol, { disabled: true, role: 'user' }), { epoch: 2 }, 'so may users')
    await accounts.update(carol, { role: 'admin', disabled: false })
    t.match(await accounts.update(id, { role: 'user' }), { role: 'user' }, 'with another one, this one may')
  })

  t.test('of administrators who take each other away at one moment one is left', async (t) => {
    const { accounts, stored } = await start(t, open)
    const away = [{ role: 'user' }, { disabled: true }] as const
    const admins = async () =>
      (await stored()).filter(({ role, disabled }) => role === 'admin' && disabled === 0).map(({ id }) => id)
    for (let round = 0; round < 4; round += 1) {
      for (const name of ['a', 'b']) {
        await accounts.create({ ...alice, username: `${name}${round}`, role: 'admin' })
      }
      const changes = (await admins()).flatMap((id) => away.map((change) => accounts.update(id, change)))
      for (const result of await Promise.allSettled(changes)) {
        if (result.status === 'rejected') t.match(result.reason, LAST_ADMIN)
      }
      t.equal((await admins()).length, 1, `round ${round}`)
    }
  })

  t.test('a hash from weaker times is made anew at the next sign-in, and ends no sign-in', async (t) => {
    const started = await start(t, open)
    const { accounts, stored, verified, time } = started
    const id = await createOutdated(started)
    time.now += 5000
    const before = await stored()
    t.equal(await accounts.verify('alice', 'wrong horse'), null)
    t.same(await stored(), before, 'not by who has another password')
    t.match(await accounts.verify('alice', 'correct horse'), { id, epoch: 1 })
    t.same(await stored(), [{ ...before[0], password_hash: 'hash of correct horse' }])
    t.match(await accounts.verify('alice', 'correct horse'), { id, epoch: 1 })
    t.equal(verified.length, 3)
  })

  t.test('a disabled account keeps its weak hash', async (t) => {
    const started = await start(t, open)
    await started.accounts.setDisabled(await createOutdated(started), true)
    t.equal(await started.accounts.verify('alice', 'correct horse'), null)
    t.match(await started.stored(), [{ password_hash: 'weak hash of correct horse' }])
  })

  t.test('a hash that could not be made anew does not fail the sign-in', async (t) => {
    const started = await start(t, open)
    const id = await createOutdated(started)
    const { db, passwords, stored } = started
    const busy: Passwords = { ...passwords, hash: () => Promise.reject(new Busy()) }
    const accounts = createAccounts({ db, passwords: busy, clock: () => START })
    t.match(await accounts.verify('alice', 'correct horse'), { id, epoch: 1 })
    t.match(await stored(), [{ password_hash: 'weak hash of correct horse' }])
  })

  t.test('a password that changes while its old hash is made anew is the new one', async (t) => {
    const started = await start(t, open)
    const id = await createOutdated(started)
    const { accounts, db, passwords, stored } = started
    const slow: Passwords = {
      ...passwords,
      async hash(password) {
        await accounts.changePassword(id, 'correct horse', 'battery staple')
        return passwords.hash(password)
      },
    }
    const racing = createAccounts({ db, passwords: slow, clock: () => START })
    t.match(await racing.verify('alice', 'correct horse'), { epoch: 1 }, 'and this sign-in is ended')
    t.match(await stored(), [{ password_hash: 'hash of battery staple', epoch: 2 }])
  })

  t.test('a change of password is granted though its old hash is made anew meanwhile', async (t) => {
    const started = await start(t, open)
    const id = await createOutdated(started)
    const { accounts, db, passwords, stored } = started
    const slow: Passwords = {
      ...passwords,
      async hash(password) {
        await accounts.verify('alice', 'correct horse')
        return passwords.hash(password)
      },
    }
    const racing = createAccounts({ db, passwords: slow, clock: () => START })
    t.match(await racing.changePassword(id, 'correct horse', 'battery staple'), { epoch: 2 })
    t.match(await stored(), [{ password_hash: 'hash of battery staple', epoch: 2 }])
  })

  t.test('a list may be of the names that begin in one way, in any spelling', async (t) => {
    const { accounts } = await start(t, open)
    const names = ['Zoë', 'zoe', 'Zoltan', 'zo', 'Anna Lee', 'anna', 'annabel', '%', '_x', '\u{1f511}']
    for (const username of names) await accounts.create({ ...alice, username })
    const listed = async (username: string, limit = 50, after: string | null = null) => {
      const page = await accounts.list({ username, limit, after })
      return { names: page.accounts.map((account) => account.username), next: page.next }
    }
    const cases: [string, string[]][] = [
      ['ZO', ['zo', 'zoe', 'Zoltan', 'Zoë']],
      ['zoe\u0308', ['Zoë']],
      ['ａｎｎａ', ['anna', 'Anna Lee', 'annabel']],
      ['anna ', ['Anna Lee']],
      ['%', ['%']],
      ['_', ['_x']],
      ['\u{1f511}', ['\u{1f511}']],
      ["' OR 1=1 --", []],
      ['zo\0', []],
      ['zo\ud800', []],
      ['nobody', []],
      ['a'.repeat(200), []],
    ]
    for (const [username, expected] of cases) t.same(await listed(username), { names: expected, next: null })
    t.equal((await listed('')).names.length, names.length, 'none of them is nothing to ask for')
    const first = await listed('zo', 3)
    t.same(first.names, ['zo', 'zoe', 'Zoltan'])
    t.same(await listed('zo', 3, first.next), { names: ['Zoë'], next: null })
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
