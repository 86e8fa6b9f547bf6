import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Test } from 'tap'

const TREE = [
  'app.ts',
  'bin',
  'examples',
  'package.json',
  'plugins',
  'public',
  'routes',
  'scripts',
  'tsconfig.json',
  'tsconfig.build.json',
]

/** A copy of the tree to build in: the tests beside this one must not see its dist come and go. */
export function copyTree(t: Pick<Test, 'teardown'>): string {
  const copy = mkdtempSync(join(tmpdir(), 'fastify-identity-tree-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  for (const entry of TREE) cpSync(resolve(entry), join(copy, entry), { recursive: true })
  symlinkSync(resolve('node_modules'), join(copy, 'node_modules'))
  return copy
}
