import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'

const REPORT = '.tap/report'

/** The minimum coverage of plugins/, for lines and for branches, in percent. */
const FLOOR = 95

/** Whether the file contains only types. @param {string} file */
function isTypesOnly(file) {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, removeComments: true },
  })
  return outputText.replace(/export \{\};?/, '').trim() === ''
}

/** @param {string} directory */
function sourcesIn(directory) {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !/^(dist|node_modules)\//.test(file))
    .map((file) => join(directory, file))
}

/** @param {{ covered: number, total: number }[]} parts */
function percent(parts) {
  const total = parts.reduce((sum, part) => sum + part.total, 0)
  const covered = parts.reduce((sum, part) => sum + part.covered, 0)
  return total === 0 ? 100 : (100 * covered) / total
}

/** Converts V8's coverage of compiled files to a summary by source file. @param {string} measured */
function summarise(measured) {
  rmSync(REPORT, { recursive: true, force: true })
  const options = [
    '--reporter=json-summary',
    '--reporter=text',
    `--reports-dir=${REPORT}`,
    `--temp-directory=${measured}`,
  ]
  const scope = ['--include=plugins/**/*.ts', '--exclude-after-remap']
  spawnSync(process.execPath, ['node_modules/c8/bin/c8.js', 'report', ...options, ...scope], {
    stdio: 'inherit',
  })
  return JSON.parse(readFileSync(`${REPORT}/coverage-summary.json`, 'utf8'))
}

/**
 * Checks the coverage that V8 has measured. V8 does not know files that no test loads, so each such file is a fault.
 * @param {string} directory V8's output
 * @returns {{ summary: string, faults: string[] }} one sentence for each fault
 */
export function checkCoverage(directory) {
  /** @type {Record<string, Record<'lines' | 'branches', { covered: number, total: number }>>} */
  const measured = summarise(directory)
  const sources = sourcesIn('plugins')
  const files = sources.flatMap((file) => measured[resolve(file)] ?? [])
  const unseen = sources.filter((file) => !measured[resolve(file)] && !isTypesOnly(file))
  const lines = percent(files.map((file) => file.lines))
  const branches = percent(files.map((file) => file.branches))
  const faults = unseen.map((file) => `${file} is loaded by no test.`)
  if (!(lines >= FLOOR)) faults.push(`Lines of plugins/ are below ${FLOOR} %.`)
  if (!(branches >= FLOOR)) faults.push(`Branches of plugins/ are below ${FLOOR} %.`)
  const summary = `Coverage of plugins/: lines ${lines.toFixed(2)} %, branches ${branches.toFixed(2)} %.`
  return { summary, faults: files.length === 0 ? ['Nothing of plugins/ was measured.'] : faults }
}
