import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Test } from 'tap'
import ts from 'typescript'
import { ROOT } from './blocks.js'

/** What the tests were compiled to; its `plugins` is laid out as the package's `dist` is. */
export const BUILT = fileURLToPath(new URL('../..', import.meta.url))

/** What an application of somebody else's has installed, on the pages that say so. */
const INSTALLED = [
  'fastify',
  'fastify-plugin',
  '@fastify/cookie',
  '@fastify/formbody',
  '@fastify/oauth2',
  '@fastify/session',
  '@fastify/jwt',
  '@fastify/redis',
  '@fastify/sse',
  '@fastify/static',
  '@fastify/websocket',
  '@node-rs/argon2',
  'ioredis',
  'jose',
  'mercurius',
  '@types/node',
  'bcryptjs',
  'libsql',
  'otpauth',
]

/** What a careful user compiles with, and where the types are as long as no package was built. */
const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts'],
  types: ['node'],
  strict: true,
  skipLibCheck: true,
  paths: {
    'fastify-identity': [join(ROOT, 'plugins/index.ts')],
    'fastify-identity/client': [join(ROOT, 'plugins/lib/client/client.ts')],
    'fastify-identity/config': [join(ROOT, 'plugins/lib/config/config.ts')],
    'fastify-identity/errors': [join(ROOT, 'plugins/lib/errors.ts')],
    'fastify-identity/inspect': [join(ROOT, 'plugins/lib/inspect.ts')],
    'fastify-identity/testing': [join(ROOT, 'plugins/lib/testing.ts')],
    'fastify-identity/*': [join(ROOT, 'plugins/*.ts')],
  },
}

/** The project of somebody who has installed the package: what is exported can be imported, and nothing else. */
export interface Outside {
  readonly directory: string
  /** Writes a module, and remembers it for `compile`. */
  add(name: string, source: string): void
  /** Checks and compiles all modules at once. @returns what is wrong, by module */
  compile(): ReadonlyMap<string, readonly string[]>
  load(name: string): Promise<Readonly<Record<string, unknown>>>
}

function link(directory: string): void {
  for (const name of INSTALLED) {
    const path = join(directory, 'node_modules', name)
    mkdirSync(dirname(path), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), path)
  }
  const own = join(directory, 'node_modules/fastify-identity')
  mkdirSync(own)
  symlinkSync(join(ROOT, 'plugins/package.json'), join(own, 'package.json'))
  symlinkSync(join(BUILT, 'plugins'), join(own, 'dist'))
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
}

function compile(directory: string, files: readonly string[]): Map<string, string[]> {
  const host = ts.createCompilerHost(OPTIONS)
  host.getCurrentDirectory = () => directory
  const program = ts.createProgram(files, OPTIONS, host)
  const text = (fault: ts.Diagnostic) => ts.formatDiagnostic(fault, host)
  const faults = new Map([['options', program.getOptionsDiagnostics().map(text)]])
  for (const file of files) {
    const source = program.getSourceFile(file)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    faults.set(basename(file, '.ts'), found.map(text))
    program.emit(source)
  }
  return faults
}

export function makeOutside(t: Test): Outside {
  const directory = mkdtempSync(join(tmpdir(), 'fastify-identity-docs-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  link(directory)
  const files: string[] = []
  return {
    directory,
    add(name, source) {
      const file = join(directory, `${name}.ts`)
      writeFileSync(file, source)
      files.push(file)
    },
    compile: () => compile(directory, files),
    load: (name) => import(pathToFileURL(join(directory, `${name}.js`)).href),
  }
}
