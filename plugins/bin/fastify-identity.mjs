#!/usr/bin/env node
// The file that package.json names as the command must exist before the build: in a checkout, npx links it at its
// first use, and never again.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const built = new URL('../dist/bin/fastify-identity.js', import.meta.url)

if (!existsSync(built)) {
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  // The command needs standard input (a password may come from there), and a program may read its output.
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(1)
}

await import(built.href)
