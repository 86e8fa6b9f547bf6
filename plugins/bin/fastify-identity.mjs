#!/usr/bin/env node
// The file that package.json names as the command must be there before anything is built: npx, in a
// checkout, links it at its first use, and does not look again.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const built = new URL('../dist/bin/fastify-identity.js', import.meta.url)

if (!existsSync(built)) {
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  // Standard input is the command's: a password may come from there. Its output may be read by a program.
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], { cwd, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(1)
}

await import(built.href)
