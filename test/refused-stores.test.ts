import { randomBytes } from 'node:crypto'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import t, { type Test } from 'tap'
import { databaseFile, openDatabase } from '../plugins/lib/database/embedded.js'
import { modulePath, runProcess } from './helpers/processes.js'
import { freePort } from './helpers/redis-server.js'
import { input, runCommand } from './helpers/terminal.js'
import { makeDataDir } from './helpers/user-center.js'

/*
 * A start on a store that cannot be used: one sentence that names it, and no stack, from the server and from the
 * command line.
 */

const APP = relative(process.cwd(), modulePath('../app', import.meta.url))
const START = ['start', '--options', '--config', 'scripts/start-options.cjs', APP]

/** What the server writes, which has ended by itself. */
async function startRefused(t: Test, env: Record<string, string>) {
  const all = { ...env, PORT: String(await freePort()) }
  const running = runProcess(t, [process.execPath, 'node_modules/.bin/fastify', ...START], { env: all })
  t.equal(await running.exit, 1)
  return running.output().trim()
}

const template = makeDataDir(t)
const { connection, close } = await openDatabase(databaseFile(template))
const page = Number(
  Object(connection.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'accounts'").get()).rootpage,
)
await close()
const whole = readFileSync(databaseFile(template))
const SIZE = 4096

function dirWith(t: Test, content: Buffer): string {
  const dataDir = makeDataDir(t)
  writeFileSync(databaseFile(dataDir), content, { mode: 0o600 })
  return dataDir
}

/** The table of accounts is zeroes: it is found when it is read. */
const holed = Buffer.from(whole).fill(0, (page - 1) * SIZE, page * SIZE)

for (const [name, content] of Object.entries({ zeroed: Buffer.alloc(whole.length), holed })) {
  t.test(`an embedded file that is ${name} is named in one sentence`, async (t) => {
    const dataDir = dirWith(t, content)
    const sentence = `DATA_DIR: ${databaseFile(dataDir)} is damaged, or is no database: restore it from a backup, or move it away to begin with an empty one.`
    t.equal(await startRefused(t, { DATA_DIR: dataDir }), `fastify-identity cannot start: ${sentence}`)
    const given = { env: { DATA_DIR: dataDir }, stdin: input('correct horse battery') }
    const { status, stderr } = await runCommand(['account', 'add', 'bob'], given)
    t.same({ status, stderr }, { status: 1, stderr: `fastify-identity: ${sentence}\n` })
  })
}

t.test('a data directory that cannot be written is refused before anybody signs in', async (t) => {
  const locked = makeDataDir(t)
  chmodSync(locked, 0o555)
  t.teardown(() => chmodSync(locked, 0o755))
  // Root may write whatever the mode says, except where the kernel keeps files of its own.
  const dataDir = process.getuid?.() === 0 ? '/sys/kernel' : locked
  const env = { DATA_DIR: dataDir, AUTH_SECRETS: randomBytes(48).toString('base64url') }
  const output = await startRefused(t, env)
  t.match(output, /^fastify-identity cannot start: DATA_DIR: \S+ cannot be written \([^\n]+\): [^\n]+\.$/)
})
