import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'tap'

const PROGRAM = `
  import { transpileInto } from './scripts/transpile.mjs'
  console.log(JSON.stringify(await transpileInto(['app.ts', 'plugins'], 'built')))`

test('only changed sources are compiled again, and the output of a deleted source disappears', (t) => {
  const tree = t.testdir({ plugins: { lib: {} }, scripts: {} })
  for (const file of ['scripts/transpile.mjs', 'scripts/inputs.mjs', 'tsconfig.json', 'plugins/package.json'])
    cpSync(resolve(file), join(tree, file))
  symlinkSync(resolve('node_modules'), join(tree, 'node_modules'))
  const write = (file: string, text: string) => writeFileSync(join(tree, file), text)
  const built = (file: string) => join(tree, 'built', file)
  const run = (): { changed: boolean; faults: string[] } => {
    const args = ['--input-type=module', '--eval', PROGRAM]
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: tree, encoding: 'utf8' })
    t.equal(stderr, '')
    return JSON.parse(stdout)
  }
  write('app.ts', 'export const version: string = 1\n')
  write('plugins/lib/part.ts', 'export const part: number = 1\n')
  t.same(run(), { changed: true, faults: [] }, 'types are not checked')
  t.match(readFileSync(built('app.js'), 'utf8'), 'export const version = 1;')
  const map: { sources: string[] } = JSON.parse(readFileSync(built('plugins/lib/part.js.map'), 'utf8'))
  t.same(map.sources, ['../../../plugins/lib/part.ts'])
  t.ok(existsSync(built('node_modules/fastify-identity/dist/lib/part.js')), 'the suite is found by its name')
  t.same(run(), { changed: false, faults: [] })

  const kept = statSync(built('app.js')).ino
  mkdirSync(join(tree, 'plugins/new'))
  write('plugins/new/part.ts', 'export {}\n')
  rmSync(join(tree, 'plugins/lib/part.ts'))
  t.same(run(), { changed: true, faults: [] })
  t.equal(statSync(built('app.js')).ino, kept, 'an unchanged file is not written')
  t.ok(existsSync(built('plugins/new/part.js')))
  for (const file of ['part.js', 'part.js.map']) t.notOk(existsSync(built(`plugins/lib/${file}`)), file)

  write('app.ts', 'export const = 2\n')
  const { changed, faults } = run()
  t.equal(changed, false)
  t.match(faults, [/app\.ts.*TS1134/], 'a syntax error is told')
  t.match(readFileSync(built('app.js'), 'utf8'), 'version = 1', 'and the last output stays')
  t.equal(run().faults.length, 1, 'and it is told again')
  write('app.ts', 'export const version = 2\n')
  t.same(run(), { changed: true, faults: [] })
  t.match(readFileSync(built('app.js'), 'utf8'), 'version = 2')
  t.end()
})
