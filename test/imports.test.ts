import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'
import ts from 'typescript'

const ROOT = process.cwd()

/** The sources under a folder, with paths from the root. */
function sourcesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/(^|\/)(dist|node_modules)\//.test(file))
    .map((file) => join(folder, file))
}

/** What a file imports, types included, as it is written there. */
function importsOf(file: string): string[] {
  const { importedFiles } = ts.preProcessFile(readFileSync(join(ROOT, file), 'utf8'), true, true)
  return importedFiles.map(({ fileName }) => fileName)
}

/** The source that a relative import leads to, with a path from the root. */
const target = (file: string, specifier: string) =>
  normalize(join(dirname(file), specifier)).replace(/\.js$/, '.ts')

/** The same of all of its relative imports. */
const targetsOf = (file: string) =>
  importsOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => target(file, specifier))

/** Those that can be reached from themselves. What leads to nothing but such as lead to nothing is taken away. */
function circular(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const left = new Map(graph)
  for (let before = -1; before !== left.size; ) {
    before = left.size
    for (const [file, imports] of left) if (!imports.some((one) => left.has(one))) left.delete(file)
  }
  return [...left.keys()].sort()
}

t.test('circles are found', async (t) => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['b']],
    ['d', []],
    ['e', ['d']],
  ])
  t.same(circular(graph), ['a', 'b', 'c'], 'with what leads to them')
})

t.test('no imports of the suite go in a circle, not even for types', async (t) => {
  const files = sourcesIn('plugins')
  const graph = new Map(files.map((file) => [file, targetsOf(file)]))
  t.ok(
    [...graph.values()].flat().every((file) => graph.has(file)),
    'all imports are followed',
  )
  t.same(circular(graph), [])
})

t.test('nothing in the rooms of the suite leans on its plugins', async (t) => {
  const leaning = sourcesIn('plugins/lib').flatMap((file) =>
    targetsOf(file)
      .filter((one) => !one.startsWith('plugins/lib/'))
      .map((one) => `${file}: ${one}`),
  )
  t.same(leaning, [])
})

/** They measure what is inside of the suite. */
const INSIDE = ['parts/memory', 'parts/login', 'lib/suite-store', 'lib/bulk'].map(
  (name) => `benchmarks/${name}.ts`,
)

t.test('the user center imports of the suite only what it exports', async (t) => {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'plugins/package.json'), 'utf8'))
  const isOpen = (specifier: string) => specifier.replace(/^fastify-identity/, '.') in exports
  const folders = ['config', 'routes', 'examples', 'benchmarks'].flatMap(sourcesIn)
  for (const file of ['app.ts', ...folders].filter((name) => !INSIDE.includes(name))) {
    t.same(
      targetsOf(file).filter((one) => one.startsWith('plugins/')),
      [],
      `${file} reaches into no room`,
    )
    const named = importsOf(file).filter((specifier) => /^fastify-identity(\/|$)/.test(specifier))
    t.same(
      named.filter((specifier) => !isOpen(specifier)),
      [],
      `${file} names what is there`,
    )
  }
})

t.test('the suite imports nothing of the user center', async (t) => {
  const outside = sourcesIn('plugins').flatMap((file) =>
    targetsOf(file).filter((one) => !one.startsWith('plugins/')),
  )
  t.same(outside, [])
})
