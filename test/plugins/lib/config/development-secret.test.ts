// In a process of its own: it changes the umask.

import { spawn } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { developmentSecret } from '../../../../plugins/lib/config/development-secret.js'
import { secretWeakness } from '../../../../plugins/lib/credentials/secret-strength.js'
import { modulePath } from '../../../helpers/processes.js'

const modeOf = (path: string) => statSync(path).mode & 0o777

t.test('the secret is created once, and stays', async (t) => {
  const dataDir = join(t.testdir(), 'deep', 'data')
  const secret = developmentSecret(dataDir)
  t.equal(secretWeakness(secret), null)
  t.match(secret, /^[\w-]{64}$/, '48 random bytes')
  t.equal(readFileSync(join(dataDir, 'secret'), 'utf8'), `${secret}\n`)
  for (let start = 0; start < 3; start += 1) t.equal(developmentSecret(dataDir), secret)
  t.same(readdirSync(dataDir), ['secret'], 'no draft is left behind')
})

t.test('every installation has its own', async (t) => {
  const dir = t.testdir()
  const secrets = ['a', 'b', 'c'].map((name) => developmentSecret(join(dir, name)))
  t.equal(new Set(secrets).size, 3)
})

t.test('file and directory are their owner’s alone, whatever the umask', async (t) => {
  const before = process.umask(0)
  t.teardown(() => process.umask(before))
  const dataDir = join(t.testdir(), 'data')
  developmentSecret(dataDir)
  t.equal(modeOf(dataDir), 0o700)
  t.equal(modeOf(join(dataDir, 'secret')), 0o600)
})

t.test('a directory that is there keeps its mode', async (t) => {
  const dataDir = t.testdir()
  chmodSync(dataDir, 0o750)
  developmentSecret(dataDir)
  t.equal(modeOf(dataDir), 0o750)
  t.equal(modeOf(join(dataDir, 'secret')), 0o600)
})

t.test('a secret that somebody put there is used, without the line’s end', async (t) => {
  const secret = 'cargo-velvet-thirst-oblong-magnet-walrus-cinder-pigeon'
  for (const text of [secret, `${secret}\n`, `${secret}\r\n`, `  ${secret}\n\n`]) {
    t.equal(developmentSecret(t.testdir({ secret: text })), secret, JSON.stringify(text))
  }
})

t.test('a file without a proper secret is refused, named, not quoted and not touched', async (t) => {
  const contents = {
    empty: '',
    'an empty line': '\n',
    'cut off': 'hunter2-8f7e6d5c4b3a29180f1e',
    'a word again and again': 'hunter2'.repeat(10),
    'an example': 'hunter2-change-me-your-own-secret-key',
  }
  for (const [what, content] of Object.entries(contents)) {
    const dataDir = t.testdir({ secret: content })
    const file = join(dataDir, 'secret')
    const error = t.throws(() => developmentSecret(dataDir), { code: 'CONFIG_INVALID' }, what)
    t.match(String(error), `DATA_DIR: the secret in ${file} is `, `${what}: named`)
    t.notMatch(String(error), 'hunter2', `${what}: not quoted`)
    t.equal(readFileSync(file, 'utf8'), content, `${what}: not touched`)
  }
})

t.test('where nothing can be read or written, one sentence names DATA_DIR', async (t) => {
  const dir = t.testdir({ file: '', directory: { secret: {} }, dangling: {} })
  symlinkSync(join(dir, 'nowhere'), join(dir, 'dangling', 'secret'))
  symlinkSync(join(dir, 'nowhere'), join(dir, 'link'))
  const dirs = {
    'a file instead of a directory': join(dir, 'file'),
    'a directory instead of a file': join(dir, 'directory'),
    'a file that leads nowhere': join(dir, 'dangling'),
    'a name that is too long': join(dir, 'x'.repeat(300)),
    'a directory that cannot be made': join(dir, 'link', 'data'),
  }
  for (const [what, dataDir] of Object.entries(dirs)) {
    const error = t.throws(() => developmentSecret(dataDir), { code: 'CONFIG_INVALID' }, what)
    t.match(String(error), /DATA_DIR: .+\.$/, `${what}: named`)
  }
})

/** Another process that starts on the directories it is told of. */
function startChild(t: Test) {
  const path = modulePath('../../../helpers/development-secret-child', import.meta.url)
  const child = spawn(process.execPath, [...process.execArgv, path])
  t.teardown(() => child.kill('SIGKILL'))
  child.stderr.pipe(process.stderr)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const nextLine = async () => String((await lines.next()).value)
  return { nextLine, start: (dirs: string[]) => child.stdin.write(`${dirs.join('\t')}\n`) }
}

t.test('processes that start at once have the same secret', async (t) => {
  const dir = t.testdir()
  const dirs = Array.from({ length: 200 }, (_, index) => join(dir, String(index)))
  const children = [startChild(t), startChild(t), startChild(t)]
  for (const child of children) t.equal(await child.nextLine(), 'ready')
  for (const child of children) child.start(dirs)
  const [first, ...others] = await Promise.all(children.map((child) => child.nextLine()))
  for (const other of others) t.equal(other, first)
  t.same(first?.split('\t'), dirs.map(developmentSecret))
  t.equal(new Set(first?.split('\t')).size, dirs.length)
  for (const dataDir of dirs) t.same(readdirSync(dataDir), ['secret'])
})

t.test('a draft that a killed process left behind is in nobody’s way', async (t) => {
  const dataDir = join(t.testdir(), 'data')
  mkdirSync(dataDir)
  writeFileSync(join(dataDir, `secret.${process.pid}.00000000`), 'half of')
  t.match(developmentSecret(dataDir), /^[\w-]{64}$/)
})
