import t, { type Test } from 'tap'
import { enrolTotp } from '../helpers/factor-center.js'
import { ADMIN, MODES, post, refusedByCenter, signIn, USER, userInfo } from '../helpers/http.js'
import { startMailServer } from '../helpers/mail-server.js'
import { startPostgres } from '../helpers/postgres-server.js'
import { startRedis } from '../helpers/redis-server.js'
import { input, runCommand } from '../helpers/terminal.js'
import { startUserCenter } from '../helpers/user-center.js'

const KNOWN = 'lantern meadow 9'
const NEW = 'quiet river stone'

/** A running user center, and the command line in its environment. */
async function start(t: Test, env: Record<string, string> = {}) {
  const { app, dataDir } = await startUserCenter(
    t,
    env,
    Object.assign(() => Date.now(), { advance() {} }),
  )
  const run = (args: string[], text = '') =>
    runCommand(['account', ...args], { env: { ...env, DATA_DIR: dataDir }, stdin: input(text) })
  return { app, run }
}

const ENDING: [string[], string, RegExp][] = [
  [['end-sign-ins', 'user1'], '', /^user1 is signed out everywhere\.\n$/],
  [['passwd', 'user1'], `${NEW}\n`, /^user1 has a new password/],
  [['role', 'user1', 'admin'], '', /^user1 has the role admin and is/],
  [['disable', 'user1'], '', /^user1 is disabled/],
]

/** What ends sign-ins has ended them, in a server that was running all the time, when the command is done. */
async function endsSignIns(t: Test, env: Record<string, string> = {}): Promise<void> {
  for (const [args, text, told] of ENDING) {
    const { app, run } = await start(t, env)
    await run(['enable', 'user1'])
    await run(['passwd', 'user1'], `${KNOWN}\n`)
    const who = { ...USER, password: KNOWN }
    const signedIn = await Promise.all(MODES.map((mode) => signIn(app, mode, who)))
    const other = await signIn(app, 'cookie', ADMIN)
    const { status, stdout, stderr } = await run(args, text)
    t.same({ status, stderr }, { status: 0, stderr: '' }, args.join(' '))
    t.match(stdout, told)
    for (const { credential } of signedIn)
      refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
    t.equal((await userInfo(app, other.credential)).statusCode, 200, 'nobody else is signed out')
    await app.close()
  }
}

t.test('ending, passwd, role and disable end every sign-in in the running server', async (t) => {
  await endsSignIns(t)
})

t.test('also where the server runs on PostgreSQL and Redis', async (t) => {
  const redis = await startRedis({ tcp: true })
  t.teardown(() => redis.stop())
  const postgres = await startPostgres()
  t.teardown(() => postgres.stop())
  await endsSignIns(t, { REDIS_URL: redis.url, DATABASE_URL: await postgres.createDatabase() })
})

t.test('what was changed is what the server goes by', async (t) => {
  const { app, run } = await start(t)
  await run(['passwd', 'user1'], `${NEW}\n`)
  refusedByCenter(t, await post(app, '/login_token', USER), 401, 'CREDENTIALS_REFUSED')
  t.equal((await post(app, '/login_token', { ...USER, password: NEW })).statusCode, 200)
  await run(['disable', 'user1'])
  refusedByCenter(t, await post(app, '/login_token', { ...USER, password: NEW }), 401, 'CREDENTIALS_REFUSED')
  t.match(await run(['enable', 'user1']), { status: 0, stdout: 'user1 is enabled.\n' })
  await run(['role', 'user1', 'admin'])
  const { credential } = await signIn(app, 'token', { ...USER, password: NEW })
  t.equal((await userInfo(app, credential)).json().data.role, 'admin')
})

t.test('an address set by the command line counts, and the one before gets a notice', async (t) => {
  const mails = await startMailServer(t)
  const env = { MAIL_URL: mails.url, MAIL_FROM: 'center@mail.example', PUBLIC_URL: 'https://center.example' }
  const { app, run } = await start(t, env)
  const { credential } = await signIn(app, 'cookie')
  const set = await run(['email', 'user1', 'one@mail.example'])
  t.match(set, { status: 0, stdout: 'user1 has the e-mail address one@mail.example.\n', stderr: '' })
  t.equal((await post(app, '/password/forgot', { username: 'user1' })).statusCode, 202)
  t.same((await mails.next()).to, ['one@mail.example'])
  t.match(await run(['email', 'user1', 'none']), { status: 0, stdout: /has no e-mail address any more/ })
  await app.accountMail.flush()
  const notice = await mails.next()
  t.same(notice.to, ['one@mail.example'])
  t.match(notice.text, /address was changed[\s\S]*user1/)
  await post(app, '/password/forgot', { username: 'user1' })
  await app.accountMail.flush()
  t.equal(mails.mails.length, 2, 'there is nowhere to send a link to')
  t.equal((await userInfo(app, credential)).statusCode, 200, 'no sign-in ends')
  const { status, stderr, stdout } = await run(['email', 'user1', 'a@mail.example\r\nBcc: b@mail.example'])
  t.same([status, stdout], [1, ''])
  t.match(stderr, /address/)
})

t.test('factors are listed, and reset-factors removes them and ends the sign-ins', async (t) => {
  const { app, run } = await start(t)
  const { credential } = await signIn(app, 'cookie')
  t.match(await run(['factors', 'user1']), { status: 0, stdout: '', stderr: '' })
  const center = { app, clock: { advance() {} } }
  const { secret } = await enrolTotp(center, credential)
  const { stdout } = await run(['factors', 'user1'])
  t.match(stdout, /^\S+\ttotp\tPhone\t\d{4}-\S+Z\t.*\n\S+\trecovery_code\t[^\t]*\t\S+Z\t-\n$/)
  t.notMatch(stdout, secret)
  t.equal((await post(app, '/login_token', USER)).json().error, 'SECOND_FACTOR_REQUIRED')
  const reset = await run(['reset-factors', 'user1'])
  t.match(reset, { status: 0, stderr: '', stdout: /^user1 has no second factor any more and is signed out/ })
  refusedByCenter(t, await userInfo(app, credential), 403, 'SIGNED_OUT')
  t.equal((await post(app, '/login_token', USER)).statusCode, 200)
  t.match(await run(['reset-factors', 'nobody']), { status: 1, stderr: /no account named nobody/ })
  t.match(await run(['factors', 'nobody']), { status: 1, stderr: /no account named nobody/ })
  t.match(await run(['factors']), { status: 2, stderr: /takes NAME/ })
})

t.test('everybody is listed, a line for each', async (t) => {
  const { run } = await start(t)
  await run(['add', 'Zoë'], `${NEW}\n`)
  await run(['disable', 'zoë'])
  const { status, stdout } = await run(['list'])
  t.equal(status, 0)
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t').slice(0, 3))
  t.same(rows, [
    ['admin', 'admin', 'enabled'],
    ['user1', 'user', 'enabled'],
    ['Zoë', 'user', 'disabled'],
  ])
})

t.test('what is refused changes nothing', async (t) => {
  const { app, run } = await start(t)
  const { credential } = await signIn(app, 'cookie')
  const cases: [string[], string, number, RegExp][] = [
    [['disable', 'nobody'], '', 1, /no account named nobody/],
    [['role', 'user1', 'king'], '', 2, /one of: admin, user/],
    [['role', 'user1'], '', 2, /takes NAME ROLE/],
    [['disable'], '', 2, /takes NAME/],
    [['list', 'x'], '', 2, /takes no arguments/],
    [['passwd', 'user1', '--password=abc'], '', 2, /never taken from an argument/],
    [['passwd', 'user1'], 'short\n', 1, /too short/],
    [['passwd', 'user1'], 'my-user1-password\n', 1, /contains the name/],
    [['disable', 'admin'], '', 1, /./],
    [['role', 'admin', 'user'], '', 1, /./],
    [['disable', '\u001b[31m'], '', 1, /no account named \\u\{1b\}\[31m/],
  ]
  for (const [args, text, status, sentence] of cases) {
    const result = await run(args, text)
    t.equal(result.status, status, args.join(' '))
    t.match(result.stderr, sentence)
    t.equal(result.stdout, '')
  }
  t.equal((await userInfo(app, credential)).statusCode, 200)
  t.equal((await post(app, '/login_cookie', ADMIN)).statusCode, 200)
})

t.test('where the sign-ins cannot be reached, the change is stored, and that is said', async (t) => {
  const { run } = await start(t)
  const { app, dataDir } = await startUserCenter(t)
  await app.close()
  const env = { DATA_DIR: dataDir, REDIS_URL: 'redis://127.0.0.1:1' }
  const result = await runCommand(['account', 'disable', 'user1'], { env })
  t.equal(result.status, 1)
  t.match(result.stderr, /The change is stored, but the sign-ins live on until the server can end them/)
  t.match((await runCommand(['account', 'list'], { env })).stdout, /^user1\tuser\tdisabled/m)
  t.equal((await run(['list'])).status, 0)
})
