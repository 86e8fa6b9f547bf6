import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { readTokenKeys } from '../../../../plugins/lib/config/token-keys.js'
import { keyPair, pemOf } from '../../../helpers/signing-key.js'

const ed = keyPair('EdDSA')
const ec = keyPair('ES256')
const rsa = keyPair('RS256')

const read = (value: string) => readTokenKeys({ TOKEN_PRIVATE_KEY: value })
const pems = (value: string) =>
  read(value)?.keys.map((key) => (typeof key === 'string' ? key : pemOf(key))) ?? []

function file(t: Test, name: string, content: string, mode = 0o600): string {
  const path = join(t.testdirName, name)
  mkdirSync(t.testdirName, { recursive: true })
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

t.test('keys are PEMs in every form of the environment, paths, or both', async (t) => {
  t.testdir({})
  const one = file(t, 'one.pem', ed.privatePem)
  const two = file(t, 'two.pem', `# two keys\n${rsa.privatePem}${ec.publicPem}`)
  const escaped = (pem: string) => pem.replaceAll('\n', '\\n')
  const rows: [value: string, keys: string[]][] = [
    [ed.privatePem, [ed.privatePem]],
    [ed.privatePem + ec.publicPem, [ed.privatePem, ec.publicPem]],
    [escaped(rsa.privatePem + ed.privatePem), [rsa.privatePem, ed.privatePem]],
    [`${escaped(rsa.privatePem)},${escaped(ed.privatePem)}`, [rsa.privatePem, ed.privatePem]],
    [ed.privatePem.replaceAll('\n', ' '), [ed.privatePem]],
    [one, [ed.privatePem]],
    [` ${two} , ${one},`, [rsa.privatePem, ec.publicPem, ed.privatePem]],
    [`${one}\n${two}\n`, [ed.privatePem, rsa.privatePem, ec.publicPem]],
    [`${one},${ec.privatePem}`, [ed.privatePem, ec.privatePem]],
    [`${ec.privatePem}${one}`, [ec.privatePem, ed.privatePem]],
    [`shared,${one}`, ['shared', ed.privatePem]],
    [`shared\n${ed.publicPem}`, ['shared', ed.publicPem]],
    [`${one},shared`, [ed.privatePem, 'shared']],
  ]
  for (const [value, keys] of rows) t.strictSame(pems(value), keys, `${value.slice(0, 40)}…`)
})

t.test(
  'what openssl ecparam -genkey writes is read: the curve’s name, and a key of the older form',
  async (t) => {
    t.testdir({})
    const name = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
    const sec1 = ec.privateKey.export({ type: 'sec1', format: 'pem' })
    for (const value of [`${name}${sec1}`, file(t, 'ec.pem', `${name}${sec1}`)]) {
      t.strictSame(pems(value), [ec.privatePem])
    }
  },
)

t.test('it may be missing or blank', async (t) => {
  t.equal(readTokenKeys({}), null)
  for (const value of ['', ' ', '\n']) t.equal(read(value), null)
})

t.test('keys in a config print as nothing', async (t) => {
  const printed = inspect(read(ed.privatePem), { depth: 9 }) + JSON.stringify(read(ed.privatePem))
  const [, secret = '?'] = ed.privatePem.split('\n')
  t.notOk(printed.includes(secret))
})

t.test('a file with a private key that everybody may open is named; one of public keys is not', async (t) => {
  t.testdir({})
  const good = file(t, 'good.pem', ed.privatePem)
  const group = file(t, 'group.pem', rsa.privatePem, 0o640)
  const readable = file(t, 'readable.pem', ec.privatePem, 0o644)
  const writable = file(t, 'writable.pem', keyPair('EdDSA').privatePem, 0o602)
  const open = file(t, 'public.pem', keyPair('EdDSA').publicPem, 0o644)
  const settings = read([good, group, readable, writable, open].join(','))
  t.strictSame(settings?.openFiles, [readable, writable])
  t.equal(settings?.keys.length, 5)
})

t.test('what is wrong is refused in one sentence that quotes nothing', async (t) => {
  const directory = t.testdir({})
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  const body = rsa.privatePem.split('\n').slice(1, -2).join('')
  const rows: [what: string, value: string, fault: RegExp][] = [
    ['only separators', ' , ,', /at least one key/],
    ['a path to nothing', join(directory, 'nothing.pem'), /entry number 1 is neither/],
    ['a directory', directory, /entry number 1 is neither/],
    ['a pipe, which would never end', pipe, /entry number 1 is neither/],
    ['a key without its BEGIN and END', body, /entry number 1 is neither/],
    ['a key whose END is missing', ed.privatePem.split('-----END')[0] ?? '', /is not complete/],
    ['a key whose BEGIN is missing', ed.privatePem.slice(30), /is not complete/],
    ['a path that no system takes', '/x'.repeat(5000), /entry number 1 is neither/],
    [
      'a file without a PEM',
      file(t, 'note.txt', 'nothing here'),
      /entry number 1 cannot be read or holds no PEM/,
    ],
    ['a file that is too large', file(t, 'large.pem', ed.privatePem + '#'.repeat(64 * 1024)), /too large/],
    ['a second path to nothing', `${file(t, 'ed.pem', ed.privatePem)},${directory}/x`, /entry number 2/],
    ['shared alone', 'shared', /at least one key/],
    ['shared between two keys', `${ec.privatePem}shared\n${ed.publicPem}`, /key number 2 is no PEM/],
    ['a public key in front', ed.publicPem, /first key signs/],
    ['one key twice', rsa.privatePem + rsa.privatePem, /twice/],
  ]
  for (const [what, value, fault] of rows) {
    const error = t.throws(() => read(value), { code: 'CONFIG_INVALID', message: fault }, what)
    const { message = '', cause = null } = error instanceof Error ? error : {}
    t.match(message, /^TOKEN_PRIVATE_KEY: [^\n]+\.$/, `${what}: names the variable`)
    t.equal((message.match(/[.!?](\s|$)/g) ?? []).length, 1, `${what}: one sentence`)
    t.notMatch(message, /[\w+/]{24}|BEGIN/, `${what}: quotes nothing`)
    t.equal(cause, null, `${what}: nor does what caused it`)
  }
})
