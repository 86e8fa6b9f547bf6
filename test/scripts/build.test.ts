import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { type Test, test } from 'tap'

const COPIED = [
  'scripts/build.mjs',
  'scripts/inputs.mjs',
  'scripts/lock.mjs',
  'scripts/bundle.mjs',
  'scripts/page.mjs',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'plugins/package.json',
  'plugins/tsconfig.json',
  'public/tsconfig.json',
]

/** A tree with one source and one page. */
function makeTree(t: Test) {
  const tree = t.testdir({})
  for (const file of COPIED) cpSync(resolve(file), join(tree, file))
  symlinkSync(resolve('node_modules'), join(tree, 'node_modules'))
  const write = (file: string, text: string) => writeFileSync(join(tree, file), text)
  write('app.ts', 'export const version = 1\n')
  write('plugins/index.ts', 'export {}\n')
  write('plugins/part.ts', 'export const part = 1\n')
  write('public/main.ts', 'document.title = "1"\n')
  write('public/page.css', '')
  write('public/icon.svg', '<svg/>')
  write(
    'public/index.en.html',
    '<link href="/page/icon.svg"><link href="/page/page.css"><script src="/page/main.js">',
  )
  const build = (...args: string[]) =>
    spawnSync(process.execPath, ['scripts/build.mjs', ...args], { cwd: tree, encoding: 'utf8' })
  const read = (file: string) => readFileSync(join(tree, 'dist', file), 'utf8')
  /** Another after each build that took place. */
  const current = () => statSync(join(tree, 'dist')).ino
  return { tree, write, build, read, current }
}

test('a build takes the place of the last one whole, and only when something has changed', (t) => {
  const { tree, write, build, read, current } = makeTree(t)
  t.equal(build().status, 0)
  t.match(read('app.js'), 'version = 1')
  const page = () =>
    Object.fromEntries(
      [...read('public/index.en.html').matchAll(/\/page\/(\w+)-[\da-f]{16}\.\w+/g)].map(([path, name]) => [
        name,
        path.replace('/page', 'public'),
      ]),
    )
  const { main = '', page: style = '' } = page()
  t.match(read(main), 'title')
  t.match(read('public/index.en.html'), 'href="data:image/svg+xml,%3Csvg/%3E"', 'the picture is in the HTML')
  t.equal(read(style), '')
  const suite = () => readdirSync(join(tree, 'plugins/dist')).sort()
  t.same(suite(), ['index.d.ts', 'index.js', 'part.d.ts', 'part.js'])
  const first = current()

  write('app.ts', readFileSync(join(tree, 'app.ts'), 'utf8'))
  t.match(build(), { status: 0, stdout: '', stderr: '' })
  t.equal(current(), first, 'the same content with a new time is no change')

  writeFileSync(join(tree, 'dist/old.js'), '')
  rmSync(join(tree, 'plugins/part.ts'))
  write('public/page.css', 'p { margin: 0 }')
  t.equal(build().status, 0)
  t.not(current(), first)
  t.match(read(page().page ?? ''), 'p{margin:0}')
  t.not(page().page, style, 'another content has another name')
  t.equal(page().main, main, 'and the same content has the same name')
  t.notOk(existsSync(join(tree, 'dist/old.js')), 'nothing of the last build stays')
  t.same(suite(), ['index.d.ts', 'index.js'], 'nor of a source that is gone')

  const second = current()
  t.equal(build('--force').status, 0)
  t.not(current(), second)
  t.same(
    readdirSync(join(tree, '.tap')),
    ['build'],
    'and nothing stays beside it but what the next one begins with',
  )
  t.end()
})

test('a build that fails leaves the last one as it was', (t) => {
  const { tree, write, build, read, current } = makeTree(t)
  t.equal(build().status, 0)
  const good = current()
  write('app.ts', 'export const version: string = 2\n')
  const { status, stdout } = build()
  t.equal(status, 1)
  t.match(stdout, /app\.ts.*TS2322/)
  t.equal(current(), good)
  t.match(read('app.js'), 'version = 1')
  t.same(readdirSync(join(tree, '.tap')), ['build'])
  t.equal(build().status, 1, 'and is tried again')
  t.end()
})

test('of two builds at once the later one finds it done; what a killed one left is no hindrance', async (t) => {
  const { tree, read } = makeTree(t)
  mkdirSync(join(tree, '.tap'))
  // No process has this id: it is above the highest that Linux gives.
  writeFileSync(join(tree, '.tap/build.lock'), String(2 ** 22 + 1))
  const start = () => spawn(process.execPath, ['scripts/build.mjs'], { cwd: tree, stdio: 'ignore' })
  const ended = await Promise.all([start(), start()].map((child) => once(child, 'exit')))
  t.same(
    ended.map(([status]) => status),
    [0, 0],
  )
  t.match(read('app.js'), 'version = 1')
  t.same(readdirSync(join(tree, '.tap')), ['build'])
})
