import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { readConfig } from '../plugins/lib/config/config.js'

const ROOT = process.cwd()
const NOT_OURS = new Set(['node_modules', 'dist', '.tap', '.git', 'data', 'coverage'])

/** Longer than this, a file holds more than one thing. */
const LONGEST_SOURCE = 200

function* filesIn(directory: string): Generator<string> {
  for (const entry of readdirSync(join(ROOT, directory), { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (NOT_OURS.has(entry.name)) continue
    if (entry.isDirectory()) yield* filesIn(path)
    else if (entry.isFile()) yield path
  }
}

const files = [...filesIn('.')]
const texts = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]))

/** The files among these in which the pattern occurs. */
function filesWith(pattern: RegExp, among: (file: string) => boolean): string[] {
  return files.filter((file) => among(file) && pattern.test(texts.get(file) ?? ''))
}

const isSource = (file: string) =>
  !/\.(md|json)$/.test(file) &&
  /^(app\.ts$|(plugins|config|routes|examples|scripts|benchmarks)\/|public\/.*\.ts$)/.test(file)
/** Each is one table: all texts for a signed-in user, in one language. */
const TABLES = ['en', 'zh'].map((language) => join('public', 'text', `${language}-signed-in.ts`))
const isTest = (file: string) => file.startsWith('test/') && extname(file) === '.ts'
const isHere = (file: string) => file === join('test', 'repository.test.ts')

t.test('the lock files name versions and hashes, and no registry', async (t) => {
  for (const file of ['package-lock.json', join('benchmarks', 'package-lock.json')]) {
    const { packages } = JSON.parse(texts.get(file) ?? '')
    const resolved = Object.entries<{ resolved?: string; link?: boolean }>(packages).filter(
      // A link leads to a workspace of this repository.
      ([, value]) => value.resolved && !value.link,
    )
    t.same(resolved, [], file)
  }
})

t.test('what npm would leave out in silence is no optional dependency', async (t) => {
  // An optional dependency is left out where it, or what it depends on, does not claim to run on this Node.
  const { packages } = JSON.parse(texts.get('package-lock.json') ?? '')
  const tooNew = Object.entries<{ optional?: boolean; engines?: { node?: string } }>(packages)
    .filter(([, value]) => value.optional && /^>=\s*2[1-9]/.test(value.engines?.node ?? ''))
    .map(([name]) => name)
  t.same(tooNew, [])
})

t.test('the command is there before anything is built, for npx to link', async (t) => {
  const { bin } = JSON.parse(texts.get(join('plugins', 'package.json')) ?? '')
  for (const file of Object.values<string>(bin)) t.ok(texts.has(join('plugins', file)), file)
})

t.test('no test is skipped, put off or run alone', async (t) => {
  t.same(
    filesWith(/\bt\w*\.(skip|todo|only)\(|\b(skip|todo|only): /, (file) => isTest(file) && !isHere(file)),
    [],
  )
})

t.test(
  'no test waits by page.waitForFunction, which fails unless its condition is true at once',
  async (t) => {
    t.same(
      filesWith(/\.waitForFunction\(/, (file) => isTest(file) && !isHere(file)),
      [],
    )
  },
)

t.test('nothing here points outside of the repository', async (t) => {
  t.same(
    filesWith(/\.\.\/shared|\/work\//, (file) => !isHere(file)),
    [],
  )
})

t.test('a source file holds one thing', async (t) => {
  const long = files.filter(
    (file) => isSource(file) && (texts.get(file) ?? '').trimEnd().split('\n').length > LONGEST_SOURCE,
  )
  t.same(long.toSorted(), TABLES)
})

t.test('every file directly under plugins/ is a Fastify plugin', async (t) => {
  const plugins = readdirSync(join(ROOT, 'plugins'), { withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name.endsWith('.ts'),
  )
  for (const { name } of plugins) {
    const { default: plugin } = await import(`../plugins/${name.replace(/\.ts$/, '.js')}`)
    t.type(plugin, 'function', `${name} exports one`)
    t.type(plugin[Symbol.for('fastify.display-name')], 'string', `${name} has a name`)
    t.equal(plugin[Symbol.for('skip-override')], true, `${name} decorates the application itself`)
  }
})

/** The names of all variables that reading the settings asks for. */
function variablesRead(): Set<string> {
  const names = new Set<string>()
  const env = new Proxy<Record<string, string>>(
    { NODE_ENV: 'development' },
    {
      get(target, name) {
        names.add(String(name))
        return target[String(name)]
      },
    },
  )
  readConfig(env)
  return names
}

t.test('.env.example and docs/settings.md name every variable, and no other', async (t) => {
  const read = [...variablesRead()].sort()
  const example = texts.get('.env.example') ?? ''
  const named = [...example.matchAll(/^#?([A-Z][A-Z_]+)=/gm)].map(([, name]) => name)
  t.same(named.toSorted(), read)
  const settings = texts.get(join('docs', 'settings.md')) ?? ''
  const rows = [...settings.matchAll(/^\|((?: *,? *`[A-Z_]+`)+) \|/gm)]
  const documented = rows.flatMap(([, cell = '']) => cell.match(/[A-Z_]{2,}/g) ?? [])
  t.same([...documented, 'NODE_ENV'].toSorted(), read)
})

const PRODUCTION = {
  NODE_ENV: 'production',
  AUTH_SECRETS: randomBytes(32).toString('hex'),
  SINGLE_INSTANCE: 'true',
}
/** Only checked, and in no field of the config. */
const PORT_AND_LEVEL: Readonly<Record<string, string>> = { PORT: '3000', LOG_LEVEL: 'info' }

/** Whether a variable has this value when nobody sets it, in development or in production. */
function isDefault(name: string, value: string): boolean {
  if (name in PORT_AND_LEVEL) return PORT_AND_LEVEL[name] === value
  return [{}, PRODUCTION].some((env) =>
    isDeepStrictEqual(readConfig({ ...env, [name]: value }), readConfig(env)),
  )
}

t.test('.env.example and docs/settings.md say the defaults', async (t) => {
  const example = texts.get('.env.example') ?? ''
  const shown = [...example.matchAll(/^#([A-Z_]+)=(.+)$/gm)].map(([, name = '', value = '']) => [name, value])
  const settings = texts.get(join('docs', 'settings.md')) ?? ''
  const rows = [...settings.matchAll(/^\|((?: *,? *`[A-Z_]+`)+) \| ([\w./`, -]+) \|/gm)]
  const documented = rows.flatMap(([, cell = '', defaults = '']) => {
    const names = cell.match(/[A-Z_]{2,}/g) ?? []
    const values = defaults.replaceAll('`', '').split(', ')
    if (values.some((value) => value.includes(' '))) return []
    return names.map((name, index) => [name, values[index] ?? values[0] ?? ''])
  })
  for (const [name = '', value = ''] of [...shown, ...documented])
    t.ok(isDefault(name, value), `${name}=${value}`)
  t.ok(shown.length > 20 && documented.length > 15, `${shown.length} and ${documented.length} are compared`)
})
