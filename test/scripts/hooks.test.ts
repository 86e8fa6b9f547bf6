import { spawnSync } from 'node:child_process'
import { cpSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'tap'

test('the pre-commit check refuses a staged file with a fault, and looks at no other', (t) => {
  const tree = t.testdir({})
  for (const file of ['biome.json', 'scripts/hooks/pre-commit']) cpSync(resolve(file), join(tree, file))
  symlinkSync(resolve('node_modules'), join(tree, 'node_modules'))
  const git = (...args: string[]) => {
    const me = ['-c', 'user.name=t', '-c', 'user.email=t@localhost', '-c', 'core.hooksPath=scripts/hooks']
    return spawnSync('git', [...me, ...args], { cwd: tree, encoding: 'utf8' })
  }
  const commit = (file: string) => {
    git('add', file)
    return git('commit', '-q', '-m', file)
  }
  t.equal(git('init', '-q').status, 0)
  writeFileSync(join(tree, 'good.ts'), 'export const good = 1\n')
  writeFileSync(join(tree, 'bad.ts'), 'export const bad = 1;;\n')
  t.match(commit('good.ts'), { status: 0 }, 'the fault that is not staged is no matter')
  const refused = commit('bad.ts')
  t.equal(refused.status, 1)
  t.match(refused.stderr, 'bad.ts')
  t.equal(git('log', '--format=%s').stdout, 'good.ts\n', 'nothing was committed')
  t.end()
})
