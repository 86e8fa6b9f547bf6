import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'

const SCRIPT = `
import { ensurePrograms } from './scripts/ensure-programs.mjs'
process.getuid = () => Number(process.env.UID_HERE)
console.log(JSON.stringify(ensurePrograms()))
`

/** A directory to be the whole PATH, with these programs. */
async function machine(t: Test, programs: Record<string, string>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'machine-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  await symlink('/bin/sh', join(path, 'sh'))
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(path, name), `#!/bin/sh\n${script}\n`)
    await chmod(join(path, name), 0o755)
  }
  return path
}

/** The sentence that the test command would stop with, or null, and what was printed before. */
async function ensure(path: string, uid: number): Promise<{ said: string[]; sentence: string | null }> {
  const env = { PATH: path, UID_HERE: String(uid) }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    env,
  })
  const lines = stdout.trimEnd().split('\n')
  return { said: lines.slice(0, -1), sentence: JSON.parse(lines.at(-1) ?? '') }
}

const THERE = 'exit 0'
// Notes how it was called, and does as told when it is asked to install.
const aptGet = (then: string) => `
echo "$DEBIAN_FRONTEND $RUNLEVEL $*" >> "$PATH/calls"
case "$*" in *install*) ${then};; esac`
const put = (name: string) => `echo "#!/bin/sh" > "$PATH/${name}"; /bin/chmod +x "$PATH/${name}"`

t.test('what is there is left alone', async (t) => {
  const path = await machine(t, {
    'redis-server': THERE,
    haproxy: THERE,
    nginx: THERE,
    chromium: THERE,
    postgres: THERE,
    'apt-get': aptGet('exit 1'),
  })
  t.same(await ensure(path, 0), { said: [], sentence: null })
})

t.test('root on Debian gets what is missing installed, and no server of its own started', async (t) => {
  const path = await machine(t, {
    'apt-get': aptGet(['redis-server', 'haproxy', 'nginx', 'postgres', 'chromium'].map(put).join('; ')),
  })
  const { said, sentence } = await ensure(path, 0)
  t.equal(sentence, null)
  t.match(said.join(), 'installing')
  t.match(
    await readFile(join(path, 'calls'), 'utf8'),
    /noninteractive 1 .*install -y .*redis-server haproxy nginx-light postgresql-15 chromium/,
  )
})

t.test('only what is missing is installed', async (t) => {
  const path = await machine(t, {
    ...{ 'redis-server': THERE, nginx: THERE, postgres: THERE, chromium: THERE },
    'apt-get': aptGet(put('haproxy')),
  })
  t.equal((await ensure(path, 0)).sentence, null)
  t.notMatch(await readFile(join(path, 'calls'), 'utf8'), /redis-server|postgresql/)
})

t.test('where it cannot be installed, one sentence says what to install', async (t) => {
  const failing = await machine(t, { 'apt-get': aptGet('exit 100') })
  const useless = await machine(t, { 'apt-get': aptGet(put('haproxy')) })
  const none = await machine(t, {})
  const othersThere = await machine(t, { haproxy: THERE, nginx: THERE, postgres: THERE, chromium: THERE })
  for (const [path, uid, names] of [
    [failing, 0, 'redis-server haproxy nginx-light postgresql-15 chromium'],
    [failing, 1000, 'redis-server haproxy nginx-light postgresql-15 chromium'],
    [useless, 0, 'redis-server haproxy nginx-light postgresql-15 chromium'],
    [none, 0, 'redis-server haproxy nginx-light postgresql-15 chromium'],
    [othersThere, 0, 'redis-server'],
  ] as const) {
    const { sentence } = await ensure(path, uid)
    t.match(sentence, /^The tests need redis-server[^\n]*elsewhere\.$/)
    t.match(sentence, `"apt-get install ${names}"`)
  }
})
