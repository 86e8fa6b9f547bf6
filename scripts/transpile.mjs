import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { filesOf, hashOf } from './inputs.mjs'

/** A change in one of these changes all outputs. */
const SETTINGS = ['scripts/transpile.mjs', 'tsconfig.json', 'node_modules/typescript/package.json']
/** In the target: the hashes of the settings and of each source. */
const RECORD = 'made-from.json'

/** @typedef {{ settings: string, files: Record<string, string> }} Made */

/** @param {string} target @returns {Made} */
function readRecord(target) {
  const file = join(target, RECORD)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { settings: '', files: {} }
}

/** A process that reads the file sees the old content or the new one. @param {string} file @param {string} text */
function replace(file, text) {
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, text)
  renameSync(draft, file)
}

/** @param {string} source @param {string} target */
function outputOf(source, target) {
  return join(target, source.replace(/\.ts$/, '.js'))
}

/** @param {typeof import('typescript')} ts @returns {import('typescript').CompilerOptions} */
function compilerOptions(ts) {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, '.')
  const { ESNext: module } = ts.ModuleKind
  const { Bundler: moduleResolution } = ts.ModuleResolutionKind
  return { ...options, module, moduleResolution, declaration: false, incremental: false }
}

/** TypeScript names the source without its folder. @param {string} map @param {string} source @param {string} output */
function nameSource(map, source, output) {
  return JSON.stringify({ ...JSON.parse(map), sources: [relative(dirname(output), source)] })
}

/** @returns {Promise<(source: string, output: string) => string | null>} It returns syntax errors, or null. */
async function makeTranspiler() {
  const { default: ts } = await import('typescript')
  const options = compilerOptions(ts)
  /** @type {import('typescript').FormatDiagnosticsHost} */
  const host = {
    getCurrentDirectory: () => process.cwd(),
    getCanonicalFileName: (name) => name,
    getNewLine: () => '\n',
  }
  return (source, output) => {
    const { outputText, sourceMapText, diagnostics } = ts.transpileModule(readFileSync(source, 'utf8'), {
      fileName: source,
      compilerOptions: { ...options, sourceMap: true },
      reportDiagnostics: true,
    })
    if (diagnostics?.length) return ts.formatDiagnostics(diagnostics, host)
    if (sourceMapText) replace(`${output}.map`, nameSource(sourceMapText, source, output))
    replace(output, outputText)
    return null
  }
}

/**
 * Packages that import the suite by its name must find the same modules as tests that import them by path. With two
 * copies, neither `instanceof` nor a symbol would hold.
 * @param {string} target
 */
function linkSuite(target) {
  const suite = join(target, 'node_modules/fastify-identity')
  mkdirSync(suite, { recursive: true })
  copyFileSync('plugins/package.json', join(suite, 'package.json'))
  if (!existsSync(join(suite, 'dist'))) symlinkSync('../../plugins', join(suite, 'dist'))
}

/** @param {string[]} folders @returns {Record<string, string>} the hash of each source */
function hashSources(folders) {
  const isSource = (/** @type {string} */ file) => file.endsWith('.ts') && !file.endsWith('.d.ts')
  return Object.fromEntries(
    folders
      .flatMap(filesOf)
      .filter(isSource)
      .map((file) => [file, hashOf([file])]),
  )
}

/** @param {string[]} sources @param {string} target @returns {Promise<Map<string, string>>} errors by source */
async function writeOutputs(sources, target) {
  const faults = new Map()
  const transpile = sources.length > 0 ? await makeTranspiler() : null
  for (const source of sources) {
    const output = outputOf(source, target)
    mkdirSync(dirname(output), { recursive: true })
    const fault = transpile?.(source, output)
    if (fault) faults.set(source, fault)
  }
  return faults
}

/**
 * Makes a directory equal to the sources: transpiles each TypeScript file whose content has changed, and removes the
 * outputs of deleted sources. It does not check types.
 * @param {string[]} folders files and folders of sources
 * @param {string} target
 * @returns {Promise<{ changed: boolean, faults: string[] }>} The faults are syntax errors.
 */
export async function transpileInto(folders, target) {
  const settings = hashOf(SETTINGS)
  let made = readRecord(target)
  if (made.settings !== settings) {
    rmSync(target, { recursive: true, force: true })
    made = { settings, files: {} }
  }
  const files = hashSources(folders)
  const gone = Object.keys(made.files).filter((source) => !(source in files))
  for (const source of gone) {
    const output = outputOf(source, target)
    for (const file of [output, `${output}.map`]) rmSync(file, { force: true })
  }
  const sources = Object.keys(files).filter((source) => files[source] !== made.files[source])
  const faults = await writeOutputs(sources, target)
  for (const source of faults.keys()) delete files[source]
  linkSuite(target)
  replace(join(target, RECORD), JSON.stringify({ settings, files }))
  return { changed: sources.length + gone.length > faults.size, faults: [...faults.values()] }
}
