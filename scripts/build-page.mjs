// Compiles the page of public/ beside the application: node scripts/build-page.mjs <directory of app.js>
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { dirname, extname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const SOURCE = join(ROOT, 'public')
const COPIED = new Set(['.html', '.css', '.svg'])

/** Whether its types hold is the type check's business. @param {string} target */
function compile(target) {
  const plain = ['composite', 'incremental', 'declaration'].flatMap((name) => [`--${name}`, 'false'])
  const options = [...plain, '--tsBuildInfoFile', 'null', '--noCheck']
  const args = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', SOURCE, '--outDir', target, ...options]
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1
}

const [directory = 'dist'] = process.argv.slice(2)
const target = resolve(directory, 'public')
mkdirSync(target, { recursive: true })
for (const file of readdirSync(SOURCE).filter((name) => COPIED.has(extname(name)))) {
  cpSync(join(SOURCE, file), join(target, file))
}
process.exitCode = compile(target)
