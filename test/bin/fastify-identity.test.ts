import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createAccounts } from '../../plugins/lib/accounts/accounts.js'
import type { Accounts } from '../../plugins/lib/accounts/contract.js'
import { passwords } from '../../plugins/lib/accounts/passwords.js'
import type { Terminal } from '../../plugins/lib/cli/command.js'
import { main } from '../../plugins/lib/cli/main.js'
import { databaseFile, lockDataDir, openDatabase } from '../../plugins/lib/database/embedded.js'
import { modulePath } from '../helpers/processes.js'

const BIN = modulePath('../../plugins/bin/fastify-identity', import.meta.url)
const GOOD = 'correct horse'

class Collected extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk
    done()
  }
}

interface Given {
  readonly stdin?: Terminal['stdin']
  readonly env?: Record<string, string>
}

/** The command line in this process. */
async function run(dataDir: string, args: string[], { stdin = Readable.from([]), env = {} }: Given = {}) {
  const stdout = new Collected()
  const stderr = new Collected()
  const status = await main(args, { env: { DATA_DIR: dataDir, ...env }, stdin, stdout, stderr })
  return { status, stdout: stdout.text, stderr: stderr.text }
}

const input = (...chunks: (string | Buffer)[]) => Readable.from(chunks.map((chunk) => Buffer.from(chunk)))

async function withAccounts<T>(dataDir: string, work: (accounts: Accounts) => Promise<T>): Promise<T> {
  const { kysely, close } = await openDatabase(databaseFile(dataDir))
  return work(createAccounts({ db: kysely, passwords, clock: Date.now })).finally(close)
}

const verify = (dataDir: string, username: string, password: string) =>
  withAccounts(dataDir, (accounts) => accounts.verify(username, password))

t.test('an account is added with the password on standard input', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const result = await run(dataDir, ['account', 'add', 'Zoë', '--role', 'admin'], {
    stdin: input(`${GOOD}\n`),
  })
  t.same(result, { status: 0, stdout: 'The account Zoë was added, with the role admin.\n', stderr: '' })
  t.match(await verify(dataDir, 'zoë', GOOD), { username: 'Zoë', role: 'admin' })
})

t.test('the role is user unless another is asked for', async (t) => {
  const dataDir = t.testdir()
  t.equal((await run(dataDir, ['account', 'add', 'bob'], { stdin: input(GOOD) })).status, 0)
  t.match(await verify(dataDir, 'bob', GOOD), { role: 'user' })
})

t.test('the password is the first line, without its end and otherwise as it is', async (t) => {
  const dataDir = t.testdir()
  const [head, tail] = [Buffer.from(' Zoë-horse ').subarray(0, 4), Buffer.from(' Zoë-horse ').subarray(4)]
  const cases: [string, Readable, string][] = [
    ['lf', input('correct horse\nsecond line\n'), 'correct horse'],
    ['crlf', input('correct horse\r\n'), 'correct horse'],
    ['none', input('correct horse'), 'correct horse'],
    ['pieces', input(head, tail, '\n', 'more'), ' Zoë-horse '],
    ['longest', input(`${'a'.repeat(1024)}\n`), 'a'.repeat(1024)],
  ]
  for (const [name, stdin, password] of cases) {
    t.match(await run(dataDir, ['account', 'add', name], { stdin }), { status: 0, stderr: '' }, name)
    t.ok(await verify(dataDir, name, password), name)
  }
})

t.test('a refusal is one sentence on stderr, exit status 1, and nothing is made', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const add = ['account', 'add', 'bob']
  const unreadable = () =>
    new Readable({
      read() {
        this.destroy(new Error('input/output error'))
      },
    })
  const cases: [string[], Given, RegExp][] = [
    [add, { stdin: input('1234567\n') }, /too short: it needs 8 characters/],
    [add, { stdin: input('') }, /too short/],
    [add, { stdin: input('\n12345678\n') }, /too short/],
    [add, { stdin: input(`${'a'.repeat(1025)}\n`) }, /too long: it may have 1024 bytes/],
    [add, { stdin: input('a'.repeat(1025), 'a') }, /too long/],
    [add, { stdin: input('a'.repeat(1 << 20)) }, /too long/],
    [add, { stdin: input('Password1\n') }, /one of the most commonly guessed ones/],
    [
      add,
      { stdin: input('an ACME one\n'), env: { PASSWORD_WORDS: 'acme' } },
      /one of the most commonly guessed ones/,
    ],
    [add, { stdin: input('not BOB again\n') }, /contains the name of the account/],
    [add, { stdin: input(GOOD), env: { PASSWORD_WORDS: 'ab' } }, /PASSWORD_WORDS must be a list of words/],
    [add, { stdin: input(Buffer.from([0xff, 0xfe, 0x41, 0x0a])) }, /not UTF-8/],
    [add, { stdin: unreadable() }, /input\/output error/],
    [['account', 'add', 'bad\nname'], { stdin: input(GOOD) }, /A username is 1 to 64 visible characters/],
    [['account', 'add', ''], { stdin: input(GOOD) }, /A username is/],
    [add, { stdin: input(GOOD), env: { DATABASE_URL: 'postgres://db' } }, /DATABASE_URL must be postgres:/],
    [add, { stdin: input(GOOD), env: { DATABASE_URL: 'postgres://%2Fnone/db?sslmode=off' } }, /DATABASE_URL/],
  ]
  for (const [args, given, sentence] of cases) {
    const { status, stdout, stderr } = await run(dataDir, args, given)
    t.equal(status, 1, `${sentence}`)
    t.equal(stdout, '')
    t.match(stderr, sentence)
    t.match(stderr, /^fastify-identity: [^\n]+\n$/)
    t.notOk(existsSync(dataDir))
  }
})

t.test('the directory is the one that the server takes DATA_DIR for', async (t) => {
  const dataDir = t.testdir()
  t.equal((await run(` ${dataDir} `, ['account', 'add', 'bob'], { stdin: input(GOOD) })).status, 0)
  t.match(await verify(dataDir, 'bob', GOOD), { username: 'bob' })
})

t.test('a name that is taken is refused, and its account left as it is', async (t) => {
  const dataDir = t.testdir()
  await run(dataDir, ['account', 'add', 'bob'], { stdin: input(GOOD) })
  const again = await run(dataDir, ['account', 'add', 'BOB', '--role=admin'], {
    stdin: input('battery staple'),
  })
  t.same(again, { status: 1, stdout: '', stderr: 'fastify-identity: This username is taken.\n' })
  t.match(await verify(dataDir, 'bob', GOOD), { role: 'user' })
})

t.test('a database that cannot be used is said to be, with its path and the cause', async (t) => {
  const dataDir = join(t.testdir({ taken: 'a file' }), 'taken')
  const { status, stderr } = await run(dataDir, ['account', 'add', 'bob'], { stdin: input(GOOD) })
  t.equal(status, 1)
  t.match(stderr, /^fastify-identity: DATA_DIR: .*taken\/identity\.db cannot be written \(EEXIST[^\n]*\n$/)
})

t.test(
  'wrong usage is one sentence on stderr and exit status 2, whatever is on standard input',
  async (t) => {
    const dataDir = join(t.testdir(), 'data')
    const cases: [string[], RegExp][] = [
      [[], /no such command/],
      [['account'], /no such command/],
      [['account', 'remove', 'bob'], /no such command/],
      [['account', 'add'], /takes one NAME/],
      [['account', 'add', 'bob', GOOD], /takes one NAME/],
      [['account', 'add', 'bob', '--role', 'root'], /The role is one of: admin, user\./],
      [['account', 'add', 'bob', '--role', 'constructor'], /The role is one of/],
      [['account', 'add', 'bob', '--role'], /role/],
      [['account', 'add', 'bob', '--force'], /Unknown option '--force'/],
    ]
    for (const [args, sentence] of cases) {
      const { status, stdout, stderr } = await run(dataDir, args, { stdin: input(GOOD) })
      t.equal(status, 2, args.join(' '))
      t.equal(stdout, '')
      t.match(stderr, sentence)
      t.match(stderr, /^fastify-identity: [^\n]+\n$/)
      t.notMatch(stderr, GOOD)
      t.notOk(existsSync(dataDir))
    }
  },
)

t.test('a password in an argument is refused, with the reason and without repeating it', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  for (const args of [
    [`--password=${GOOD}`],
    ['--password', GOOD],
    ['-p', GOOD],
    ['--Passwd', GOOD],
    ['--pw'],
  ]) {
    const { status, stderr } = await run(dataDir, ['account', 'add', 'bob', ...args], { stdin: input(GOOD) })
    t.equal(status, 2)
    t.match(stderr, /never taken from an argument, where others on this machine can read it/)
    t.notMatch(stderr, GOOD)
    t.notOk(existsSync(dataDir))
  }
})

t.test('after -- everything is a name', async (t) => {
  const dataDir = t.testdir()
  for (const name of ['--help', '--password', '-p']) {
    t.match(await run(dataDir, ['account', 'add', '--', name], { stdin: input(GOOD) }), { status: 0 })
    t.match(await verify(dataDir, name, GOOD), { username: name })
  }
})

t.test('--help lists the commands', async (t) => {
  for (const args of [['--help'], ['account', 'add', '-h']]) {
    const { status, stdout, stderr } = await run(t.testdir(), args)
    t.equal(status, 0)
    t.match(stdout, /fastify-identity account add NAME \[--role admin\|user\]/)
    t.equal(stderr, '')
  }
})

t.test('without DATA_DIR the data is in ./data', async (t) => {
  const before = process.cwd()
  process.chdir(t.testdir())
  t.teardown(() => process.chdir(before))
  t.equal((await run('', ['account', 'add', 'bob'], { stdin: input(GOOD) })).status, 0)
  t.ok(existsSync('data/identity.db'))
})

/** A terminal in this process: what is typed goes in, what is shown is collected. */
function fakeTerminal() {
  const stdin = Object.assign(new PassThrough(), { isTTY: true })
  const stderr = new Collected()
  const stdout = new Collected()
  return { stdin, stderr, stdout }
}

async function type(t: Test, dataDir: string, ...typed: string[]) {
  const terminal = fakeTerminal()
  const running = main(['account', 'add', 'bob'], { ...terminal, env: { DATA_DIR: dataDir } })
  for (const keys of typed) terminal.stdin.write(keys)
  const status = await running
  t.equal(terminal.stdout.text.includes(GOOD) || terminal.stderr.text.includes(GOOD), false, 'no echo')
  return { status, shown: terminal.stderr.text }
}

t.test('at a terminal the password is asked for twice, and not shown', async (t) => {
  const dataDir = t.testdir()
  const { status, shown } = await type(t, dataDir, `${GOOD}\r`, `${GOOD}\r`)
  t.equal(status, 0)
  t.equal(shown, 'Password: \nThe same again: \n')
  t.ok(await verify(dataDir, 'bob', GOOD))
})

t.test('both lines may be pasted at once, and mistakes corrected', async (t) => {
  const pasted = join(t.testdir(), 'pasted')
  t.equal((await type(t, pasted, `${GOOD}\n${GOOD}\n`)).status, 0)
  t.ok(await verify(pasted, 'bob', GOOD))
  const corrected = join(t.testdir(), 'corrected')
  t.equal((await type(t, corrected, `${GOOD}x\x7f\r`, `wrong\x15${GOOD}\r`)).status, 0)
  t.ok(await verify(corrected, 'bob', GOOD))
})

t.test('passwords that differ, or none (Ctrl-C, Ctrl-D), add nothing', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  const cases: [string[], RegExp][] = [
    [[`${GOOD}\r`, 'battery staple\r'], /The two passwords differ/],
    [['\x03'], /No password was given/],
    [['\x04'], /No password was given/],
    [[`${GOOD}\r`, '\x03'], /No password was given/],
    [['short\r', 'short\r'], /too short/],
  ]
  for (const [typed, sentence] of cases) {
    const { status, shown } = await type(t, dataDir, ...typed)
    t.equal(status, 1)
    t.match(shown, sentence)
    t.notOk(existsSync(dataDir))
  }
})

/** The command line as a process of its own. */
function startProgram(dataDir: string, args: readonly string[], nodeArgs: readonly string[] = []) {
  const child = spawn(process.execPath, [...process.execArgv, ...nodeArgs, BIN, ...args], {
    env: { ...process.env, DATA_DIR: dataDir },
    // Where no .env is, unless the test has made one.
    cwd: dataDir,
  })
  const stdout = new Collected()
  const stderr = new Collected()
  child.stdout.pipe(stdout)
  child.stderr.pipe(stderr)
  // A program that refuses may end before it has read its input: that breaks the pipe, and is no fault.
  child.stdin.on('error', () => undefined)
  const ended = once(child, 'close').then(([status]) => ({
    status,
    stdout: stdout.text,
    stderr: stderr.text,
  }))
  return { child, ended }
}

/** Makes Node find none of the packages that `npm install --omit=optional` leaves out. */
const WITHOUT_OPTIONAL = `data:text/javascript,${encodeURIComponent(`
  import { register } from 'node:module'
  register('data:text/javascript,' + encodeURIComponent(\`
    export async function resolve(specifier, context, next) {
      if (!/^(libsql|kysely|@node-rs[/]argon2)([/]|$)/.test(specifier)) return next(specifier, context)
      throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
    }\`))
`)}`

t.test('the program itself', { jobs: 3 }, async (t) => {
  t.test(
    'runs beside a server that has the directory, which sees the account',
    { buffered: true },
    async (t) => {
      const dataDir = t.testdir()
      const lock = await lockDataDir(dataDir)
      const server = await openDatabase(databaseFile(dataDir))
      const { child, ended } = startProgram(dataDir, ['account', 'add', 'bob', '--role', 'admin'])
      // Standard input stays open: only the first line is waited for.
      child.stdin.write(`${GOOD}\n`)
      t.match(await ended, { status: 0, stdout: 'The account bob was added, with the role admin.\n' })
      const accounts = createAccounts({ db: server.kysely, passwords, clock: Date.now })
      t.match(await accounts.verify('bob', GOOD), { role: 'admin' })
      await server.close()
      lock.release()
    },
  )

  t.test('names the optional package that is missing', { buffered: true }, async (t) => {
    const dataDir = t.testdir()
    const { child, ended } = startProgram(dataDir, ['account', 'add', 'bob'], ['--import', WITHOUT_OPTIONAL])
    child.stdin.end(GOOD)
    const { status, stdout, stderr } = await ended
    t.equal(status, 1)
    t.equal(stdout, '')
    t.match(stderr, /fastify-identity: The embedded database needs the package libsql: npm install libsql\n$/)
    t.notMatch(stderr, /\n +at /, 'without a stack')
  })

  t.test('reads .env as the server does, and what is set already wins', { buffered: true }, async (t) => {
    const dataDir = t.testdir({ '.env': 'DATA_DIR=/there/is/none\nDATABASE_URL=postgres://of.the.file\n' })
    const { ended } = startProgram(dataDir, ['account', 'list'])
    t.match(await ended, { status: 1, stderr: /DATABASE_URL must be postgres:/ })
  })

  t.test('ends in silence when nobody reads on', { buffered: true }, async (t) => {
    const { child, ended } = startProgram(t.testdir(), ['--help'])
    child.stdout.destroy()
    t.match(await ended, { status: 1, stderr: '' })
  })

  t.test('turns the echo of a real terminal off, and ends', { buffered: true }, async (t) => {
    const dataDir = t.testdir()
    // `script` (util-linux) gives the program a terminal of its own.
    const command = [process.execPath, ...process.execArgv, BIN, 'account', 'add', 'bob'].join(' ')
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, DATA_DIR: dataDir },
      cwd: dataDir,
    })
    t.teardown(() => child.kill('SIGKILL'))
    const shown = new Collected()
    child.stdout.pipe(shown)
    const until = async (text: string) => {
      for (let tries = 0; tries < 6000 && !shown.text.includes(text); tries += 1) await delay(10)
    }
    await until('Password: ')
    child.stdin.write(`${GOOD}\n`)
    await until('The same again: ')
    child.stdin.write(`${GOOD}\n`)
    const [status] = await once(child, 'close')
    t.equal(status, 0)
    t.match(shown.text, /The account bob was added, with the role user\./)
    t.notMatch(shown.text, GOOD)
    t.ok(await verify(dataDir, 'bob', GOOD))
  })
})
