import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import ts from 'typescript'

const SUMMARY = '.tap/report/coverage-summary.json'

/** Percent of lines, and of branches, of plugins/ that the tests must run. */
const FLOOR = 95

/** Whether nothing is left of the file when its types are taken away. @param {string} file */
function isTypesOnly(file) {
  const { outputText } = ts.transpileModule(readFileSync(file, 'utf8'), {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, removeComments: true },
  })
  return outputText.replace(/export \{\};?/, '').trim() === ''
}

/** @param {string} directory */
function sourcesIn(directory) {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(directory, file))
}

/** @param {{ covered: number, total: number }[]} parts */
function percent(parts) {
  const total = parts.reduce((sum, part) => sum + part.total, 0)
  const covered = parts.reduce((sum, part) => sum + part.covered, 0)
  return total === 0 ? 100 : (100 * covered) / total
}

/**
 * Judges the coverage that tap has written. V8 knows nothing of a file that no test loads, so such a
 * file is a fault by itself.
 * @returns {{ summary: string, faults: string[] }} one sentence for each fault
 */
export function checkCoverage() {
  /** @type {Record<string, Record<'lines' | 'branches', { covered: number, total: number }>>} */
  const measured = JSON.parse(readFileSync(SUMMARY, 'utf8'))
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
