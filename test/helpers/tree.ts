import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import type { Test } from 'tap'

const TREE = [
  'app.ts',
  'config',
  'examples',
  'package.json',
  'plugins',
  'public',
  'routes',
  'scripts',
  'tsconfig.json',
  'tsconfig.build.json',
]

const BUILT = new Set(['dist', 'node_modules'])

/** The packages of this tree, but for the suite: the copy has its own, and it is the one to be found. */
function linkPackages(copy: string): void {
  mkdirSync(join(copy, 'node_modules'))
  const names = readdirSync('node_modules').filter((name) => name !== 'fastify-identity')
  for (const name of names) symlinkSync(resolve('node_modules', name), join(copy, 'node_modules', name))
  symlinkSync('../plugins', join(copy, 'node_modules/fastify-identity'))
}

/** A copy of the tree to build in: the tests beside this one must not see its dist come and go. */
export function copyTree(t: Pick<Test, 'teardown'>): string {
  const copy = mkdtempSync(join(tmpdir(), 'fastify-identity-tree-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  const filter = (path: string) => !BUILT.has(basename(path))
  for (const entry of TREE) cpSync(resolve(entry), join(copy, entry), { recursive: true, filter })
  linkPackages(copy)
  return copy
}
