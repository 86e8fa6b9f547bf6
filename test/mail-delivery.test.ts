import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { FastifyInstance } from 'fastify'
import tap, { type Test, test } from 'tap'
import { databaseFile, openDatabase } from '../plugins/lib/database/embedded.js'
import { type DatabaseEnv, onDatabases } from './helpers/databases.js'
import { post, signIn } from './helpers/http.js'
import { ADDRESS, mailEnv, startMailCenter } from './helpers/mail-center.js'
import { startMailServer, startRawServer } from './helpers/mail-server.js'
import { modulePath } from './helpers/processes.js'
import { makeDataDir, startUserCenter } from './helpers/user-center.js'

/* Real mail servers that are away, slow, refuse or talk nonsense, and processes that are killed. */

const testOnDatabases = onDatabases(tap)

/** Somebody asks for a code. The answer must come whatever the mail server does. */
async function ask(app: FastifyInstance, email = ADDRESS): Promise<void> {
  const { credential } = await signIn(app, 'cookie')
  const { statusCode, body } = await post(app, '/email', { email }, credential)
  if (statusCode !== 202) throw new Error(body)
}

/** What became of the mails, by the database of the center. */
async function outboxOf(t: Test, dataDir: string) {
  const database = await openDatabase(databaseFile(dataDir))
  t.teardown(database.close)
  return () => database.kysely.selectFrom('outbox').select(['id', 'attempts', 'sent_at', 'mailbox']).execute()
}

test('a mail server that is away holds no request up, and gets the mail once it is back', async (t) => {
  const away = await startMailServer(t)
  const { app, clock, dataDir } = await startUserCenter(t, mailEnv('smtp://127.0.0.1:1'))
  await ask(app)
  await app.accountMail.flush()
  const rows = await (await outboxOf(t, dataDir))()
  t.match(rows, [{ attempts: 1, sent_at: null }])
  await app.close()
  clock.advance(59)
  const again = await startUserCenter(t, { ...mailEnv(away.url), DATA_DIR: dataDir }, clock)
  await again.app.accountMail.flush()
  t.same(away.mails, [], 'the claim of the other process holds')
  clock.advance(1)
  await again.app.accountMail.flush()
  t.match(away.mails, [{ to: [ADDRESS], id: `<${rows[0]?.id}@center.example>` }])
})

test('a repeat has the same Message-ID and the same code', async (t) => {
  let failures = 1
  const server = await startMailServer(t, {
    onMailFrom(_address, _session, callback) {
      failures -= 1
      callback(failures < 0 ? null : Object.assign(new Error('try later'), { responseCode: 451 }))
    },
  })
  const { app, clock } = await startMailCenter(t, {}, server)
  await ask(app)
  await app.accountMail.flush()
  t.same(server.mails, [])
  clock.advance(60)
  await app.accountMail.flush()
  t.equal(server.mails.length, 1)
})

test('a server that never greets, drips or talks nonsense holds no request up', async (t) => {
  const answers: Record<string, string> = {
    'never greets': '',
    'talks nonsense': '\u0000\u00ff GET / HTTP/1.1\r\n\r\n{}\r\n',
    'says yes to nothing': '220 hello\r\n250-',
    'greets with a redirect': '302 https://evil.example\r\n',
  }
  for (const [name, text] of Object.entries(answers)) {
    let connected = () => {}
    const isConnected = new Promise<void>((resolve) => {
      connected = resolve
    })
    const { url } = await startRawServer(t, (socket) => {
      socket.write(text, 'latin1')
      connected()
    })
    const { app, dataDir } = await startUserCenter(t, mailEnv(url))
    await ask(app)
    await isConnected
    t.equal((await app.inject('/healthz')).statusCode, 200, name)
    await app.close()
    t.match(await (await outboxOf(t, dataDir))(), [{ sent_at: null }], `${name}: the mail is kept`)
  }
})

test('an address that the server refuses for good is not tried again', async (t) => {
  const refusing = await startMailServer(t, {
    onRcptTo(_address, _session, callback) {
      callback(Object.assign(new Error('no such mailbox'), { responseCode: 550 }))
    },
  })
  const { app, dataDir } = await startMailCenter(t, {}, refusing)
  await ask(app)
  await app.accountMail.flush()
  t.match(await (await outboxOf(t, dataDir))(), [{ attempts: 1, mailbox: null }])
})

test('the log has neither the password of the mail server nor its words', async (t) => {
  const server = await startMailServer(t, {
    authOptional: false,
    authMethods: ['PLAIN'],
    allowInsecureAuth: true,
    onAuth(auth, _session, callback) {
      callback(Object.assign(new Error(`no ${auth.username} ${auth.password}`), { responseCode: 535 }))
    },
  })
  const url = server.url.replace('//', '//mailer:the-mail-password@')
  const { app } = await startUserCenter(t, mailEnv(url))
  const lines: string[] = []
  app.log.warn = (...line: unknown[]) => void lines.push(line.map((part) => inspectAll(part)).join(' '))
  await ask(app)
  await app.accountMail.flush()
  t.match(lines.join('\n'), /EAUTH 535/)
  const encoded = Buffer.from('\0mailer\0the-mail-password').toString('base64')
  for (const secret of ['the-mail-password', encoded, ADDRESS]) t.notMatch(lines.join('\n'), secret)
})

const inspectAll = (part: unknown): string =>
  JSON.stringify(part, (_key, value) =>
    value instanceof Error ? { ...value, text: String(value.stack) } : value,
  )

async function startChild(t: Test, dataDir: string, url: string, { DATABASE_URL }: DatabaseEnv) {
  const path = modulePath('./helpers/mail-child', import.meta.url)
  const args = [dataDir, url, ...(DATABASE_URL ? [DATABASE_URL] : [])]
  const child = spawn(process.execPath, [...process.execArgv, path, ...args])
  t.teardown(() => child.kill('SIGKILL'))
  child.stderr.pipe(process.stderr)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async () => (await lines.next()).value
  if ((await next()) !== 'ready') throw new Error('the child did not start')
  const kill = async () => {
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
  }
  const requestReset = async (username: string) => {
    child.stdin.write(`${username}\n`)
    const said = await next()
    if (said !== 'stored') throw new Error(String(said))
  }
  return { requestReset, kill }
}

/** Accepts some mails. From then on it takes a mail and never says so. */
async function startHoldingServer(t: Test, most: number) {
  let accepted = 0
  let hold = () => {}
  const isHolding = new Promise<void>((resolve) => {
    hold = resolve
  })
  const server = await startMailServer(t, {
    onMailFrom(_address, _session, callback) {
      accepted += 1
      if (accepted <= most) callback()
      else hold()
    },
  })
  return { ...server, isHolding }
}

/** A clock of the machine, as a process sees it whose clock is ahead. In ms. */
const machineClock = (ahead = 0) => Object.assign(() => Date.now() + ahead, { advance: () => {} })

testOnDatabases('a process that is killed loses no mail that it has answered for', async (t, database) => {
  const COUNT = 20
  const ACCEPTED = 7
  const dataDir = makeDataDir(t)
  const env = { ...database, DATA_DIR: dataDir }
  const held = await startHoldingServer(t, ACCEPTED)
  const prepared = await startMailCenter(t, env, undefined, machineClock())
  const names = Array.from({ length: COUNT }, (_, index) => `person ${index}`)
  for (const username of names) {
    const person = { username, password: 'three quiet ravens', role: 'user' } as const
    const { id } = await prepared.app.accounts.create(person)
    await prepared.app.accounts.setEmail(id, `${username.replace(' ', '-')}@mail.example`)
  }
  await prepared.app.close()
  const child = await startChild(t, dataDir, held.url, database)
  for (const username of names) await child.requestReset(username)
  await held.isHolding
  await child.kill()
  // The next process. By its clock, the claims are over.
  const rest = await startMailServer(t)
  const { app } = await startMailCenter(t, env, rest, machineClock(61_000))
  await app.accountMail.flush()
  const delivered = new Set([...held.mails, ...rest.mails].flatMap(({ to }) => to))
  t.equal(delivered.size, COUNT, `${held.mails.length} before, ${rest.mails.length} after the kill`)
  const ids = new Set([...held.mails, ...rest.mails].map(({ id }) => id))
  t.equal(ids.size, COUNT, 'a repeat has its first Message-ID')
  t.ok(rest.mails.length >= COUNT - ACCEPTED && held.mails.length <= ACCEPTED)
})

/** `FC_RUNS=10` makes it 2000. */
const MANY = 200 * Number(process.env.FC_RUNS ?? 1)

testOnDatabases(`${MANY} mails are sent once each, by all processes together`, async (t, database) => {
  const mailServer = await startMailServer(t)
  const start = () => startMailCenter(t, database, mailServer, machineClock())
  const { app } = await start()
  const apps = [app, ...(database.DATABASE_URL ? [(await start()).app] : [])]
  const accountId = String((await app.accounts.findByUsername('user1'))?.id)
  const notice = { accountId, what: 'email_changed', language: 'en', ip: null } as const
  const began = Date.now()
  const names = Array.from({ length: MANY }, (_, index) => `a${index}@mail.example`)
  // As many at once as the pool has connections: the others would wait for one, and on a busy machine too long.
  for (let index = 0; index < MANY; index += 10)
    await Promise.all(names.slice(index, index + 10).map((to) => app.accountMail.notify({ ...notice, to })))
  await Promise.all(apps.map(({ accountMail }) => accountMail.flush()))
  t.comment(`${Math.round((MANY * 1000) / (Date.now() - began))} mails a second`)
  t.same(mailServer.mails.flatMap(({ to }) => to).sort(), names.sort())
})
