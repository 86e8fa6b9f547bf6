import type { Test } from 'tap'
import { createAccounts } from '../plugins/lib/accounts/accounts.js'
import type { Passwords } from '../plugins/lib/accounts/passwords.js'
import { createKeyRing } from '../plugins/lib/credentials/keys.js'
import { compose, createAccountMail } from '../plugins/lib/mail/account-mail.js'
import type { Deliver, MailMessage } from '../plugins/lib/mail/contract.js'
import { Outbox } from '../plugins/lib/mail/outbox.js'
import { MailSecrets } from '../plugins/lib/mail/secrets.js'
import { OutboxWorker, type WorkerTimes } from '../plugins/lib/mail/worker.js'
import type { OpenDatabase } from './account-contract.js'
import { START } from './helpers/clock.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const ADDRESS = 'alice@mail.example'

const passwords: Passwords = {
  hash: async (password) => `hash of ${password}`,
  verify: async (hash, password) => hash === `hash of ${password}`,
  isOutdated: () => false,
}

const keys = createKeyRing(['the secret of this test, which is long enough'])

/** The timers of a worker are never reached: tests flush. */
const TIMES: WorkerTimes = { look: 1_000_000, delivery: 1_000_000 }

/** The code or the first token of a mail. */
export function secretOf(mail: MailMessage | undefined): string {
  if (mail?.kind === 'email_code') return mail.code
  if (mail?.kind === 'reset') return mail.offers[0]?.token ?? ''
  return ''
}

async function start(t: Test, open: OpenDatabase) {
  const { kysely: db } = await open(t)
  const time = { now: START }
  const clock = () => time.now
  const context = { db, passwords, clock }
  const accounts = createAccounts(context)
  const outbox = new Outbox(db, clock)
  const parts = { context, outbox, secrets: new MailSecrets(() => keys.purpose('mail')) }
  const mails: MailMessage[] = []
  const warnings: unknown[] = []
  /** One process. Its mails go to `mails` unless it delivers otherwise. */
  const run = (deliver: Deliver = async (mail) => void mails.push(mail), times = TIMES) => {
    const log = { warn: (...line: unknown[]) => void warnings.push(line) }
    const worker = new OutboxWorker({ outbox, compose: (row) => compose(parts, row), deliver, log, times })
    t.teardown(() => worker.close())
    return { worker, mail: createAccountMail(parts, { kick() {}, flush: () => worker.flush() }) }
  }
  const { mail, worker } = run()
  /** Another process, whose clock is ahead of the others. In ms. */
  const ahead = (by: number) => {
    const itsOutbox = new Outbox(db, () => time.now + by)
    return createAccountMail({ ...parts, outbox: itsOutbox }, { kick() {}, flush: async () => {} })
  }
  const rows = () => db.selectFrom('outbox').selectAll().execute()
  const add = async (username: string, email: string | null = ADDRESS) => {
    const { id } = await accounts.create({ username, password: 'old password', role: 'user' })
    const email_key = email?.toLowerCase() ?? null
    await db.updateTable('accounts').set({ email, email_key }).where('id', '=', id).execute()
    // What an account did at the time of its making is over.
    time.now += 1
    return id
  }
  /** The token of a new reset mail. */
  const forgotten = async (username = 'alice') => {
    await mail.requestReset({ username }, 'en')
    await mail.flush()
    return secretOf(mails.at(-1))
  }
  return { db, time, accounts, outbox, mails, warnings, run, mail, worker, ahead, rows, add, forgotten }
}

type Started = Awaited<ReturnType<typeof start>>

async function tokensIn({ db }: Started): Promise<string> {
  const tables = ['outbox', 'reset_tokens', 'accounts'] as const
  return JSON.stringify(await Promise.all(tables.map((table) => db.selectFrom(table).selectAll().execute())))
}

/** The outbox and what it sends, on every database. */
export function testMailContract(t: Test, open: OpenDatabase): void {
  testOutbox(t, open)
  testAddresses(t, open)
  testResets(t, open)
}

function testOutbox(t: Test, open: OpenDatabase): void {
  const lost = async () => Promise.reject(new Error('away'))

  t.test('a mail that fails is repeated after 60 s, under one id, with the same token', async (t) => {
    const { add, run, time, mails, rows, warnings } = await start(t, open)
    await add('alice')
    const tried: MailMessage[] = []
    const failing = run((mail) => {
      tried.push(mail)
      return lost()
    })
    const { mail } = run()
    await mail.requestReset({ username: 'alice' }, 'en')
    await failing.worker.flush()
    await failing.worker.flush()
    time.now += MINUTE - 1
    await mail.flush()
    t.same([tried.length, mails.length], [1, 0], 'claimed for 60 s')
    t.match(warnings, [[{ err: { message: 'away' }, mail: { kind: 'reset', attempts: 1 } }]])
    time.now += 1
    await mail.flush()
    await mail.flush()
    t.same(mails, tried)
    t.match(await rows(), [{ attempts: 2, sent_at: time.now, details: '{}' }])
  })

  t.test('of many processes one sends each mail', async (t) => {
    const { add, run, mail, mails } = await start(t, open)
    const id = await add('alice')
    const notice = { accountId: id, what: 'password_changed', language: 'en', ip: null } as const
    for (let count = 0; count < 12; count++) await mail.notify(notice)
    await Promise.all(Array.from({ length: 4 }, () => run().worker.flush()))
    t.equal(mails.length, 12)
    t.equal(new Set(mails.map(({ id }) => id)).size, 12)
  })

  t.test('a mail whose token is over is dropped', async (t) => {
    const { add, mail, time, mails, rows, warnings } = await start(t, open)
    await add('alice')
    await mail.requestReset({ username: 'alice' }, 'en')
    time.now += 15 * MINUTE
    await mail.flush()
    t.same([mails, await rows()], [[], []])
    t.match(warnings, [[{ dropped: 1 }]])
  })

  t.test('an error with permanent: true drops the mail', async (t) => {
    const { add, run, time, mails, mail } = await start(t, open)
    await add('alice')
    const refusing = run(() =>
      Promise.reject(Object.assign(new Error('no such mailbox'), { permanent: true })),
    )
    await mail.requestReset({ username: 'alice' }, 'en')
    await refusing.worker.flush()
    time.now += 2 * MINUTE
    await mail.flush()
    t.same(mails, [])
  })

  t.test('a delivery that never ends is aborted, and repeated', async (t) => {
    const { add, run, time, mails, mail } = await start(t, open)
    await add('alice')
    let isAborted = false
    const hanging: Deliver = (_mail, signal) => {
      signal.addEventListener('abort', () => {
        isAborted = true
      })
      return new Promise(() => {})
    }
    const { worker } = run(hanging, { look: 1_000_000, delivery: 1 })
    await mail.requestReset({ username: 'alice' }, 'en')
    await worker.flush()
    t.ok(isAborted)
    time.now += MINUTE
    await mail.flush()
    t.equal(mails.length, 1)
  })

  t.test('a process that closes waits for no mail server, and another one sends the mail', async (t) => {
    const { add, run, time, mails, mail, warnings } = await start(t, open)
    await add('alice')
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const { worker } = run(() => {
      begin()
      return new Promise(() => {})
    })
    await mail.requestReset({ username: 'alice' }, 'en')
    worker.kick()
    await begun
    await worker.close()
    t.same(warnings, [], 'no failure')
    time.now += MINUTE
    await mail.flush()
    t.equal(mails.length, 1)
  })

  t.test('a sent row is deleted after an hour', async (t) => {
    const { forgotten, add, time, rows, mail, db } = await start(t, open)
    await add('alice')
    await forgotten()
    time.now += HOUR
    await mail.flush()
    t.same([await rows(), await db.selectFrom('reset_tokens').selectAll().execute()], [[], []])
  })
}

function testAddresses(t: Test, open: OpenDatabase): void {
  t.test('an address counts once its code came back', async (t) => {
    const started = await start(t, open)
    const { add, mail, mails, accounts } = started
    const id = await add('alice', null)
    await mail.requestAddress(id, 'Alice@BÜCHER.example', 'zh')
    t.equal(await mail.confirmAddress(id, '00000000'), null, 'not sent yet')
    await mail.flush()
    const to = 'Alice@xn--bcher-kva.example'
    t.match(mails, [{ kind: 'email_code', to, username: 'alice', language: 'zh' }])
    const code = secretOf(mails[0])
    t.match(code, /^\d{8}$/)
    t.notMatch(await tokensIn(started), code)
    t.notHas(await accounts.find(id), { email: to })
    t.same(await mail.confirmAddress(id, code), { email: to, previous: null })
    t.match(await accounts.find(id), { email: to, epoch: 1 })
    t.equal(await mail.confirmAddress(id, code), null, 'once')
  })

  t.test('a code is void after ten minutes, five tries or a newer request', async (t) => {
    const { add, mail, mails, time, accounts } = await start(t, open)
    const id = await add('alice', null)
    const ask = async () => {
      await mail.requestAddress(id, ADDRESS, 'en')
      await mail.flush()
      return secretOf(mails.at(-1))
    }
    const old = await ask()
    time.now += 10 * MINUTE
    t.equal(await mail.confirmAddress(id, old), null)
    const replaced = await ask()
    const guessed = await ask()
    t.equal(await mail.confirmAddress(id, replaced), null)
    const wrong = guessed === '12345678' ? '12345679' : '12345678'
    await Promise.all([1, 2, 3, 4, 5].map(() => mail.confirmAddress(id, wrong)))
    t.equal(await mail.confirmAddress(id, guessed), null)
    const other = await add('bob', null)
    const right = await ask()
    t.equal(await mail.confirmAddress(other, right), null, 'another account’s')
    t.notHas(await accounts.find(id), { email: ADDRESS })
    const both = await Promise.all([mail.confirmAddress(id, right), mail.confirmAddress(id, right)])
    t.equal(both.filter((each) => each !== null).length, 1)
  })

  t.test('an account asks for five codes in an hour, and a mailbox gets five mails', async (t) => {
    const { add, mail, mails, time, rows } = await start(t, open)
    const id = await add('alice', null)
    const asked = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => mail.requestAddress(id, `a${index}@mail.example`, 'en')),
    )
    t.equal(asked.filter(({ status }) => status === 'fulfilled').length, 5)
    t.match(
      asked.find(({ status }) => status === 'rejected'),
      { reason: { code: 'THROTTLED', retryAfter: 3600 } },
    )
    await mail.flush()
    t.equal(mails.length, 1, 'only the newest counts')
    await t.rejects(mail.requestAddress(id, ADDRESS, 'en'), { code: 'THROTTLED' })
    t.equal((await rows()).length, 5)
    mails.length = 0
    for (let count = 0; count < 8; count++) {
      await mail.requestAddress(await add(`user ${count}`, null), 'Victim@mail.example', 'en')
    }
    await mail.flush()
    t.equal(mails.length, 5)
    time.now += HOUR + 1
    await mail.requestAddress(id, 'victim@mail.example', 'en')
    await mail.flush()
    t.equal(mails.length, 6)
  })

  t.test('of 10 000 addresses that an account asks for in an hour, one gets a mail', async (t) => {
    const { add, mail, mails, rows } = await start(t, open)
    const id = await add('alice', null)
    const refusals = new Map<string, number>()
    for (let from = 0; from < 10_000; from += 10) {
      const ten = Array.from({ length: 10 }, (_, each) => `victim${from + each}@mail.example`)
      const asked = await Promise.allSettled(ten.map((email) => mail.requestAddress(id, email, 'en')))
      for (const each of asked) {
        const code = each.status === 'fulfilled' ? 'asked' : String(each.reason.code)
        refusals.set(code, (refusals.get(code) ?? 0) + 1)
      }
    }
    t.same(Object.fromEntries(refusals), { asked: 5, THROTTLED: 9995 })
    t.equal((await rows()).length, 5)
    await mail.flush()
    t.equal(mails.length, 1, 'only the newest counts')
  })

  t.test('what is no address is EMAIL_INVALID, and writes nothing', async (t) => {
    const { add, mail, rows } = await start(t, open)
    const id = await add('alice', null)
    for (const typed of ['', 'alice', 'a@b', 'a@mail.example\r\nBcc: b@mail.example', 'a b@mail.example'])
      await t.rejects(mail.requestAddress(id, typed, 'en'), { code: 'EMAIL_INVALID', statusCode: 400 })
    t.same(await rows(), [])
  })
}

function testResets(t: Test, open: OpenDatabase): void {
  t.test('the same row is written for known, unknown and address-less accounts', async (t) => {
    const { add, mail, mails, rows, accounts } = await start(t, open)
    await add('alice')
    await add('bob', null)
    await accounts.setDisabled(await add('carol', 'carol@mail.example'), true)
    for (const username of ['ALICE', 'bob', 'carol', 'nobody', '\0', ADDRESS])
      await mail.requestReset({ username }, 'en')
    for (const email of ['alice@MAIL.example', 'no@mail.example', 'none'])
      await mail.requestReset({ email }, 'en')
    const shapes = (await rows()).map(({ id: _id, details, ...row }) => {
      return JSON.stringify([Object.keys(JSON.parse(details)), row])
    })
    t.same([shapes.length, new Set(shapes).size], [9, 1])
    await mail.flush()
    t.same(
      mails.map(({ to }) => to),
      [ADDRESS, ADDRESS],
    )
    t.equal((await rows()).length, 2, 'of the others nothing is left')
  })

  t.test('a token resets the password once, and ends the sign-ins', async (t) => {
    const started = await start(t, open)
    const { add, forgotten, mail, accounts } = started
    const id = await add('alice')
    const token = await forgotten()
    t.match(token, /^[\w-]{22}$/)
    t.notMatch(await tokensIn(started), token)
    for (const wrong of ['', token.slice(1), `${token}=`, token.toLowerCase(), 'A'.repeat(22), '\0'])
      t.equal(await mail.findReset(wrong), null)
    const grant = await mail.findReset(token)
    t.same(grant, { accountId: id, username: 'alice', email: ADDRESS, epoch: 1 })
    if (!grant) return
    const both = await Promise.all(
      ['one password', 'another password'].map((next) => mail.reset(grant, next)),
    )
    t.same(both.map((account) => account?.epoch ?? null).sort(), [2, null], 'in parallel one wins')
    t.equal(await mail.findReset(token), null)
    t.equal(await accounts.verify('alice', 'old password'), null)
    const next = ['one password', 'another password'][both.findIndex((account) => account !== null)]
    t.match(await accounts.verify('alice', String(next)), { id, epoch: 2 })
  })

  t.test('a token is void after 15 minutes', async (t) => {
    const { add, forgotten, mail, time } = await start(t, open)
    await add('alice')
    const token = await forgotten()
    time.now += 15 * MINUTE - 1
    t.ok(await mail.findReset(token))
    time.now += 1
    t.equal(await mail.findReset(token), null)
  })

  t.test('a token is void once anything ends the sign-ins, or the address changes', async (t) => {
    const { add, forgotten, mail, mails, accounts, time } = await start(t, open)
    const id = await add('alice')
    const changes = [
      () => accounts.changePassword(id, 'old password', 'new password'),
      () => accounts.setPassword(id, 'new password'),
      () => accounts.setDisabled(id, false),
      async () => {
        await mail.requestAddress(id, 'new@mail.example', 'en')
        await mail.flush()
        await mail.confirmAddress(id, secretOf(mails.at(-1)))
      },
    ]
    for (const change of changes) {
      const grant = await mail.findReset(await forgotten())
      t.ok(grant)
      time.now += 1
      await change()
      time.now += 1
      t.equal(grant && (await mail.reset(grant, 'the thief’s')), null)
    }
    t.equal(await accounts.verify('alice', 'the thief’s'), null)
  })

  t.test('a request from before a password change makes no token after it', async (t) => {
    const { add, mail, mails, accounts, time } = await start(t, open)
    const id = await add('alice')
    await mail.requestReset({ username: 'alice' }, 'en')
    time.now += 1
    await accounts.setPassword(id, 'new password')
    await mail.flush()
    t.same(mails, [])
  })

  t.test('nor does one that a process stored whose clock is ahead', async (t) => {
    const { add, mail, mails, accounts, ahead, time } = await start(t, open)
    const id = await add('alice')
    const changes = [
      () => accounts.changePassword(id, 'old password', 'new password'),
      () => accounts.setPassword(id, 'new password'),
      () => accounts.update(id, { role: 'user' }),
      () => accounts.raiseEpoch(id),
    ]
    for (const change of changes) {
      await ahead(5 * MINUTE).requestReset({ username: 'alice' }, 'en')
      time.now += MINUTE
      await change()
      await mail.flush()
      t.same(mails, [])
      time.now += 6 * MINUTE
    }
    await mail.requestReset({ username: 'alice' }, 'en')
    await mail.flush()
    t.equal(mails.length, 1, 'a request after the change is granted')
  })

  t.test('an address that comes back revives no token', async (t) => {
    const { add, forgotten, mail, mails, accounts } = await start(t, open)
    const id = await add('alice')
    const confirm = async (email: string) => {
      await mail.requestAddress(id, email, 'en')
      await mail.flush()
      return mail.confirmAddress(id, secretOf(mails.at(-1)))
    }
    const changes = [confirm, (email: string) => accounts.setEmail(id, email)]
    for (const change of changes) {
      const token = await forgotten()
      for (const email of ['other@mail.example', ADDRESS]) t.ok(await change(email))
      t.equal(await mail.findReset(token), null)
    }
  })

  t.test('accounts that share an address get one mail, with a token for each', async (t) => {
    const { add, mail, mails } = await start(t, open)
    const [one, two] = [await add('alice'), await add('bob')]
    await add('carol', 'ALICE@mail.example')
    await mail.requestReset({ email: ADDRESS }, 'en')
    await mail.flush()
    t.same(
      mails.map((each) => [each.to, each.kind === 'reset' && each.offers.map(({ username }) => username)]),
      [
        [ADDRESS, ['alice', 'bob']],
        ['ALICE@mail.example', ['carol']],
      ],
    )
    t.equal(new Set(mails.map(({ id }) => id)).size, 2)
    const tokens = mails.flatMap((each) => (each.kind === 'reset' ? each.offers : []))
    const grants = await Promise.all(tokens.map(({ token }) => mail.findReset(token)))
    t.match(grants, [{ accountId: one }, { accountId: two }, { username: 'carol' }])
  })

  t.test('a name that looks like somebody’s address is only a name', async (t) => {
    const { add, mail, mails } = await start(t, open)
    await add('alice')
    await add(ADDRESS, 'mallory@mail.example')
    await add('bob@mail.example', null)
    for (const typed of [ADDRESS, 'bob@mail.example']) {
      await mail.requestReset({ email: typed }, 'en')
      await mail.requestReset({ username: typed }, 'en')
    }
    await mail.flush()
    const offered = mails.map((each) =>
      each.kind === 'reset' ? [each.to, ...each.offers.map(({ username }) => username)] : [],
    )
    t.same(offered.sort(), [
      [ADDRESS, 'alice'],
      ['mallory@mail.example', ADDRESS],
    ])
  })

  t.test('a mailbox gets five reset mails in an hour', async (t) => {
    const { add, mail, mails, run, rows } = await start(t, open)
    await add('alice')
    for (let count = 0; count < 20; count++) await mail.requestReset({ username: 'alice' }, 'en')
    await Promise.all([mail.flush(), run().worker.flush()])
    t.equal(mails.length, 5)
    t.equal((await rows()).length, 5)
  })

  t.test('a notice goes to the address of its time, and to nobody without one', async (t) => {
    const { add, mail, mails, db, time } = await start(t, open)
    const [alice, bob] = [await add('alice'), await add('bob', null)]
    for (const accountId of [alice, bob, 'A'.repeat(22)])
      await mail.notify({ accountId, what: 'password_changed', language: 'zh', ip: '192.0.2.1' })
    await mail.notify({
      accountId: alice,
      what: 'email_changed',
      language: 'en',
      ip: null,
      to: 'old@mail.example',
    })
    await db.updateTable('accounts').set({ email: 'new@mail.example' }).execute()
    await mail.flush()
    const common = { kind: 'notice', username: 'alice', time: time.now }
    t.match(
      mails.sort((a, b) => a.to.localeCompare(b.to)),
      [
        { ...common, to: ADDRESS, what: 'password_changed', language: 'zh', ip: '192.0.2.1' },
        { ...common, to: 'old@mail.example', what: 'email_changed', language: 'en', ip: null },
      ],
    )
    t.equal(mails.length, 2)
  })
}
