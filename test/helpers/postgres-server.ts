import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { freePort, startGuard } from './redis-server.js'

/** A real PostgreSQL that a test started. What it holds is gone with it. */
export interface PostgresServer {
  /** An empty database of its own: by the socket, as a user who may do what he likes in it, and no more. */
  createDatabase(encoding?: string): Promise<string>
  /** Of a database: the same over TCP, with a password. */
  overTcp(url: string, password?: string): string
  /** Certificate that the server shows over TCP for `localhost`, and is its own issuer. */
  readonly certificate: string
  /** Does something in a database that only an administrator may, over a connection of its own. */
  asAdmin<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T>
  /** Ends it as a crash would (SIGKILL), and waits until all of it is gone. */
  kill(): Promise<void>
  /** Starts it again, with what it held. */
  start(): Promise<void>
  /** Freezes all of it: connections stay open, and nothing is answered. */
  pause(): void
  resume(): void
  /** Ends it for good and removes its directory. May be called twice. */
  stop(): Promise<void>
}

/** For tests that are not about time: a busy machine may take its time. In ms. */
export const PATIENT = { connectTimeout: 60_000, queryTimeout: 60_000, startTimeout: 120_000 } as const

/** The administrator, and who runs it where we are root. */
const ADMIN = 'postgres'
const USER = 'identity'
const PASSWORD = 'p@ss:w/rd?#%'
const START_TIMEOUT = 120_000
/** Where Debian puts it, which is on nobody's PATH. */
const PATH = `${process.env.PATH}:/usr/lib/postgresql/15/bin`
const MISSING = 'The tests need PostgreSQL 15: install it with "apt-get install postgresql-15".'

/** Its own processes end with it. A frozen one hears of the end when it goes on. */
const ENDING = 'kill -QUIT "$now" && kill -CONT "$now" && sleep 1'

/** It refuses to run as root: then as the user that its package has made. */
function whoRuns(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const idOf = (what: '-u' | '-g') => Number(spawnSync('id', [what, ADMIN], { encoding: 'utf8' }).stdout)
  const who = { uid: idOf('-u'), gid: idOf('-g') }
  if (!who.uid) throw new Error(MISSING)
  return who
}

interface Place {
  readonly directory: string
  readonly data: string
  readonly port: number
  readonly who: { uid?: number; gid?: number }
}

function run({ directory, who }: Place, program: string, ...args: string[]): void {
  const env = { PATH, LC_ALL: 'C' }
  const { status, error, stderr } = spawnSync(program, args, {
    cwd: directory,
    env,
    encoding: 'utf8',
    ...who,
  })
  if (error) throw new Error(MISSING, { cause: error })
  if (status !== 0) throw new Error(`${program}: ${stderr}`)
}

/** No password by the socket, which only this test knows; over TCP, with TLS or without, a password. */
const ACCESS = 'local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n'

const SETTINGS = [
  'fsync=off',
  'full_page_writes=off',
  'max_connections=60',
  'shared_buffers=16MB',
  'listen_addresses=127.0.0.1',
  'ssl=on',
  'autovacuum=off',
  'log_min_messages=fatal',
]

/** A new data directory takes seconds of CPU time. Later servers copy the first one, before it has run. */
const TEMPLATE = resolve('.tap/postgres')

function initialise(place: Place): void {
  const { directory, data, who } = place
  if (who.uid && who.gid) chownSync(directory, who.uid, who.gid)
  const version = spawnSync('postgres', ['-V'], { env: { PATH }, encoding: 'utf8' }).stdout ?? ''
  const template = `${TEMPLATE}-${createHash('sha256').update(`${version}${ACCESS}${makeData}`).digest('hex')}`
  if (existsSync(template)) copy(template, data)
  else {
    makeData(place)
    keep(data, template)
  }
}

/** Keeps owners and modes, which the server checks. */
function copy(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`cp: ${stderr}`)
}

/** Another process may do the same at the same moment. */
function keep(data: string, template: string): void {
  const draft = `${template}.${process.pid}`
  mkdirSync(dirname(draft), { recursive: true })
  copy(data, draft)
  try {
    renameSync(draft, template)
  } catch {
    rmSync(draft, { recursive: true, force: true })
  }
}

function makeData(place: Place): void {
  const { data } = place
  run(place, 'initdb', '-D', data, '-U', ADMIN, '--no-sync', '--encoding', 'UTF8', '--locale', 'C.UTF-8')
  writeFileSync(join(data, 'pg_hba.conf'), ACCESS)
  const files = ['-keyout', join(data, 'server.key'), '-out', join(data, 'server.crt')]
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '36500']
  run(place, 'openssl', 'req', '-x509', ...key, ...files, ...name)
}

async function isUp(place: Place): Promise<boolean> {
  const client = new pg.Client({ host: place.directory, port: place.port, user: ADMIN, database: ADMIN })
  client.on('error', () => {})
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}

async function launch(place: Place, guard: ReturnType<typeof startGuard>): Promise<ChildProcess> {
  const { directory, data, port, who } = place
  const settings = [...SETTINGS, `port=${port}`, `unix_socket_directories=${directory}`]
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
  const env = { PATH, LC_ALL: 'C' }
  const child = spawn('postgres', args, { stdio: ['ignore', 'ignore', 'pipe'], env, cwd: directory, ...who })
  guard.watch(child)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  for (const deadline = Date.now() + START_TIMEOUT; !(await isUp(place)); await delay(20)) {
    if (child.exitCode === null && child.signalCode === null && Date.now() < deadline) continue
    child.kill('SIGKILL')
    throw new Error(`PostgreSQL did not start: ${said}`)
  }
  return child
}

/** The server's own processes. */
function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean).map(Number) : []
}

function signal(pid: number, name: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended by itself.
  }
}

async function end(child: ChildProcess, how: 'SIGKILL' | 'SIGQUIT'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const children = childrenOf(child.pid ?? 0)
  const exited = once(child, 'exit')
  child.kill(how)
  // Frozen ones hear of it when they go on.
  for (const pid of [child.pid ?? 0, ...children]) signal(pid, 'SIGCONT')
  await exited
  while (children.some((pid) => existsSync(`/proc/${pid}`))) await delay(5)
}

async function asAdmin<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url.replace(/\/\/\w+@/, `//${ADMIN}@`) })
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** Starts a PostgreSQL of the test's own: one for each file, and a database of it for each test. Stop it in a teardown. */
export async function startPostgres(): Promise<PostgresServer> {
  const directory = mkdtempSync(join(tmpdir(), 'postgres-'))
  const guard = startGuard(directory, ENDING)
  const place = { directory, data: join(directory, 'data'), port: await freePort(), who: whoRuns() }
  initialise(place)
  let child = await launch(place, guard)
  const urlOf = (database: string) =>
    `postgres://${USER}@${encodeURIComponent(directory)}:${place.port}/${database}`
  await asAdmin(urlOf(ADMIN), (client) => client.query(`CREATE ROLE ${USER} LOGIN PASSWORD '${PASSWORD}'`))
  const everybody = () => [child.pid ?? 0, ...childrenOf(child.pid ?? 0)]
  return {
    certificate: join(place.data, 'server.crt'),
    async createDatabase(encoding) {
      const name = `test_${randomBytes(6).toString('hex')}`
      const encoded = encoding === undefined ? '' : ` ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`
      await asAdmin(urlOf(ADMIN), (client) => client.query(`CREATE DATABASE ${name} OWNER ${USER}${encoded}`))
      return urlOf(name)
    },
    overTcp(url, password = PASSWORD) {
      const { pathname } = new URL(url)
      return `postgres://${USER}:${encodeURIComponent(password)}@127.0.0.1:${place.port}${pathname}`
    },
    asAdmin,
    kill: () => end(child, 'SIGKILL'),
    async start() {
      child = await launch(place, guard)
    },
    pause: () => everybody().forEach((pid) => void signal(pid, 'SIGSTOP')),
    resume: () => everybody().forEach((pid) => void signal(pid, 'SIGCONT')),
    async stop() {
      await end(child, 'SIGQUIT')
      rmSync(directory, { recursive: true, force: true })
      guard.end()
    },
  }
}
