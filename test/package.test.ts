import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { textOf } from './docs/blocks.js'
import { freePort } from './helpers/redis-server.js'

// It builds, packs and installs once, and then looks at what a user would have.
t.setTimeout(600_000)

const ROOT = process.cwd()
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc')
const NPM_QUIET = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']

const LAUNCHER = 'bin/fastify-identity.mjs'
const DOCUMENTS = ['LICENSE', 'README.md', 'CHANGELOG.md']
const SUITE = join(ROOT, 'plugins')

/** Without the optional packages, Fastify included. */
const MOST_PACKAGES = 72
const MOST_MEGABYTES = 25

const run = promisify(execFile)

/** Runs a program away from the measuring of coverage that the runner hands down to every child. */
async function call(cwd: string, command: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await run('env', ['-u', 'NODE_OPTIONS', command, ...args], { cwd })
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
  }
}

const node = (cwd: string, ...args: string[]) => call(cwd, process.execPath, ...args)

/** The project of a user who has installed the package without the optional ones, and nothing but what it brings. */
interface Project {
  readonly directory: string
  readonly packed: readonly string[]
}

/** Builds beside the checkout, where `dist/` may be what a server is running from. */
async function pack(directory: string): Promise<{ tarball: string; packed: string[] }> {
  const source = join(directory, 'source')
  await mkdir(source)
  for (const file of ['package.json', LAUNCHER, ...DOCUMENTS]) await cp(join(SUITE, file), join(source, file))
  // Whether the types hold is the type check's business.
  const plain = ['--composite', 'false', '--incremental', 'false', '--tsBuildInfoFile', 'null']
  await node(SUITE, TSC, '--noCheck', '--outDir', join(source, 'dist'), ...plain)
  const answer = await call(source, 'npm', 'pack', '--ignore-scripts', '--json', '--loglevel=error')
  const [{ filename, files }] = JSON.parse(answer)
  return { tarball: join(source, filename), packed: files.map(({ path }: { path: string }) => path) }
}

async function install(directory: string): Promise<Project> {
  const { tarball, packed } = await pack(directory)
  const project = join(directory, 'project')
  await mkdir(project)
  const { version } = JSON.parse(await readFile(join(ROOT, 'node_modules/@types/node/package.json'), 'utf8'))
  const types = `@types/node@${version}`
  await writeFile(join(project, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  await call(project, 'npm', 'install', ...NPM_QUIET, '--omit=optional', tarball, types)
  return { directory: project, packed }
}

/** What a careful user compiles with, who has the declarations of every package checked. */
const COMPILER_OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts'],
  types: ['node'],
  strict: true,
  skipLibCheck: false,
}

const packageOf = (file: string) => file.split('node_modules/')[1]?.match(/^(@[^/]+\/)?[^/]+/)?.[0]

/**
 * Compiles files of the project where they lie.
 * @returns what is wrong, and which packages' types were needed
 */
function compile({ directory }: Project, files: string[]): { faults: string[]; packages: string[] } {
  const host = ts.createCompilerHost(COMPILER_OPTIONS)
  host.getCurrentDirectory = () => directory
  const roots = files.map((file) => join(directory, file))
  const program = ts.createProgram(roots, COMPILER_OPTIONS, host)
  const sources = program.getSourceFiles()
  const faults = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics]
  const packages = new Set(sources.flatMap(({ fileName }) => packageOf(fileName) ?? []))
  return { faults: faults.map((fault) => ts.formatDiagnostic(fault, host)), packages: [...packages] }
}

/** A program of the project that listens. It is ended with the test that started it. */
interface Server {
  readonly origin: string
}

async function untilListening(origin: string, child: ChildProcess, output: () => string): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`It ended by itself:\n${output()}`)
    try {
      await fetch(origin)
      return
    } catch {
      await delay(25)
    }
  }
}

async function serve(t: Test, cwd: string, port: number, args: string[], env: object): Promise<Server> {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const origin = `http://127.0.0.1:${port}`
  await untilListening(origin, child, () => output)
  return { origin }
}

function post(url: string, body: object): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
}

/** Starts what became of the example, on a port of its own, signs in there, and asks who that was. */
async function tryExample(t: Test, edit = (code: string) => code) {
  const port = await freePort()
  const main = await readFile(join(project.directory, 'main.js'), 'utf8')
  await writeFile(join(project.directory, 'served.js'), edit(main.replace('port: 3000', `port: ${port}`)))
  const env = { AUTH_SECRET: 'a secret for tests, at least 32 bytes long' }
  const { origin } = await serve(t, project.directory, port, ['served.js'], env)
  const login = await post(`${origin}/login_token`, { username: 'alice', password: 'correct horse' })
  const { token } = (await login.json()) as { token: string }
  const me = await fetch(`${origin}/me`, { headers: { authorization: `Bearer ${token}` } })
  const stranger = await fetch(`${origin}/me`)
  return { status: me.status, identity: await me.json(), stranger: stranger.status }
}

const directory = await mkdtemp(join(tmpdir(), 'package-'))
t.teardown(() => rm(directory, { recursive: true, force: true }))
const project = await install(directory)

t.test('the package holds what a user needs, and nothing else', async (t) => {
  const documents = project.packed.filter((file) => !file.startsWith('dist/'))
  t.same(documents.sort(), [...DOCUMENTS, LAUNCHER, 'package.json'].sort())
  const built = project.packed.filter((file) => file.startsWith('dist/'))
  const files = await readdir(SUITE, { recursive: true })
  const sources = files.filter((file) => file.endsWith('.ts') && !/^(dist|node_modules)\//.test(file))
  const expected = sources.flatMap((source) => ['.js', '.d.ts'].map((end) => source.replace(/\.ts$/, end)))
  t.same(built.sort(), expected.map((file) => `dist/${file}`).sort())
})

t.test('every plugin has a subpath of its own', async (t) => {
  const { exports } = JSON.parse(await readFile(join(SUITE, 'package.json'), 'utf8'))
  const plugins = (await readdir(SUITE)).filter((file) => file.endsWith('.ts') && file !== 'index.ts')
  for (const name of plugins.map((file) => file.slice(0, -3))) {
    t.same(exports[`./${name}`], { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }, name)
  }
})

t.test('it is light', async (t) => {
  const modules = join(project.directory, 'node_modules')
  const { packages } = JSON.parse(await readFile(join(modules, '.package-lock.json'), 'utf8'))
  const names: string[] = Object.keys(packages).map((path) => path.split('node_modules/').at(-1) ?? '')
  const brought = names.filter((name) => !['@types/node', 'undici-types'].includes(name))
  t.ok(brought.length <= MOST_PACKAGES, `${brought.length} packages`)
  const files = await readdir(modules, { recursive: true, withFileTypes: true })
  const sizes = await Promise.all(
    files.filter((file) => file.isFile()).map((file) => stat(join(file.parentPath, file.name))),
  )
  const megabytes = sizes.reduce((sum, { size }) => sum + size, 0) / 1e6
  t.ok(megabytes <= MOST_MEGABYTES, `${megabytes.toFixed(1)} MB`)
})

t.test("the README's example type-checks in an empty project", async (t) => {
  await writeFile(join(project.directory, 'main.ts'), textOf('plugins/README.md', 'quick-start'))
  await writeFile(
    join(project.directory, 'fourth-mode.ts'),
    `import type { AuthMode, ModeName } from 'fastify-identity'
    declare module 'fastify-identity' {
      interface AuthModes { 'api-key': { readonly key: string } }
    }
    export const name: ModeName = 'api-key'
    export const issue: AuthMode<'api-key'>['issue'] = async () => ({ issued: { key: 'k' }, signIn: null })
    // @ts-expect-error: no mode has this name
    export const unknown: ModeName = 'api-keys'
    // @ts-expect-error: issuing hands back what the mode has declared
    export const wrong: AuthMode<'api-key'>['issue'] = async () => ({ issued: { token: 'k' }, signIn: null })
    `,
  )
  await writeFile(
    join(project.directory, 'session-data.ts'),
    `import type { FastifyRequest } from 'fastify'
    import type {} from 'fastify-identity'
    declare module 'fastify' {
      interface Session { cart?: string[] }
    }
    export const cartOf = (request: FastifyRequest): string[] => request.session.cart ?? []
    // @ts-expect-error: a cart is a list
    export const wrong = (request: FastifyRequest): string => request.session.cart ?? ''
    `,
  )
  const { faults, packages } = compile(project, ['main.ts', 'fourth-mode.ts', 'session-data.ts'])
  t.same(faults, [])
  t.ok(packages.includes('fastify'))
})

t.test('what is for users can be imported, and what is inside cannot', async (t) => {
  const { exports } = JSON.parse(await readFile(join(SUITE, 'package.json'), 'utf8'))
  const open = Object.keys(exports)
    .filter((path) => path !== './package.json')
    .map((path) => path.slice(1))
  const closed = ['/lib/errors', '/lib/credentials/keys', '/dist/index.js', '/plugins/cookie-auth', '/app']
  const script = `for (const path of ${JSON.stringify([...open, ...closed])}) {
    await import('fastify-identity' + path).then(() => console.log('imported'), (error) => console.log(error.code))
  }`
  const outcomes = (await node(project.directory, '--input-type=module', '-e', script)).trimEnd().split('\n')
  t.same(
    outcomes.slice(0, open.length),
    open.map(() => 'imported'),
  )
  t.same(
    outcomes.slice(open.length),
    closed.map(() => 'ERR_PACKAGE_PATH_NOT_EXPORTED'),
  )
})

t.test('importing it loads no package that only some applications need', async (t) => {
  const script = `import { createRequire } from 'node:module'
  await import('fastify-identity')
  console.log(Object.keys(createRequire(import.meta.url).cache).join('\\n'))`
  const loaded = (await node(project.directory, '--input-type=module', '-e', script)).trimEnd().split('\n')
  const packages = new Set(loaded.map(packageOf))
  t.ok(packages.has('fastify-plugin'))
  const heavy = ['@fastify/jwt', 'fast-jwt', 'kysely']
  t.same(
    heavy.filter((name) => packages.has(name)),
    [],
  )
})

t.test('the suite runs without the optional packages', async (t) => {
  const installed = await readdir(join(project.directory, 'node_modules'))
  const optional = ['libsql', '@node-rs', 'ioredis', '@fastify/redis', 'prom-client', 'typebox']
  t.notOk(
    optional.some((name) => installed.includes(name)),
    'they are not there',
  )
  const inMemory = (code: string) => code.replace("{ dataDir: './data' }", '{ memory: true }')
  t.equal((await tryExample(t, inMemory)).status, 200)
  const script = `const { default: Fastify } = await import('fastify')
  async function tell(path, options) {
    const { default: plugin } = await import('fastify-identity/' + path)
    await Fastify().register(plugin, options).then(() => console.log('registered'), ({ code, message }) => console.log(code, message))
  }
  await tell('metrics', {})
  await tell('stores', { redisUrl: 'redis://127.0.0.1:1' })`
  t.same((await node(project.directory, '--input-type=module', '-e', script)).trimEnd().split('\n'), [
    'DEPENDENCY_MISSING Metrics needs the package prom-client: npm install prom-client',
    'DEPENDENCY_MISSING Redis needs the package ioredis: npm install ioredis',
  ])
  const help = await call(project.directory, 'node_modules/.bin/fastify-identity', '--help')
  t.match(help, /account add/, 'nor does the command line need them')
})

t.test("the README's example runs where the optional packages are there", async (t) => {
  // It adds the missing packages. `npm ci` would install all of them again.
  await call(project.directory, 'npm', 'install', ...NPM_QUIET)
  const { status, identity, stranger } = await tryExample(t)
  t.equal(status, 200)
  t.match(identity, { username: 'alice', mode: 'token' })
  t.equal(stranger, 401)
})
