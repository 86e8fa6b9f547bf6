import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import { filesOf, hashOf, isMadeFrom, STAMP } from './inputs.mjs'

const SOURCES = 'public'
/** The address of the page's files. */
const ADDRESS = '/page'

/** Everything that the outputs depend on. */
const INPUTS = [
  SOURCES,
  'plugins/lib/client',
  'scripts/inputs.mjs',
  'scripts/page.mjs',
  'tsconfig.json',
  'node_modules/esbuild/package.json',
]

/** Small files do not become smaller. In bytes. */
const WORTH_COMPRESSING = 200
const COMPRESSORS = { '.br': promisify(brotliCompress), '.gz': promisify(gzip) }

/** In HTML: the address of one of the page's files. In a bundle, esbuild writes double quotes. */
const REFERENCE = new RegExp(`(?<=")${ADDRESS}/([\\w./-]+\\.(?:css|js|svg))(?=")`, 'g')

/** @typedef {Map<string, Buffer>} Files contents by name */

/** @param {string} text @returns {string[]} the names of the page's files in it */
const namesIn = (text) => [...text.matchAll(REFERENCE)].map(([, name = '']) => name)

/** @param {string} name of a file of the page @param {Buffer} content */
function withHash(name, content) {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16)
  const type = extname(name)
  return `${name.slice(0, -type.length)}-${hash}${type}`
}

/**
 * Bundles a script or a style sheet. It is one file, and one more for each `import()`.
 * @param {string} name @param {boolean} readable @returns {Promise<Files>}
 */
async function bundle(name, readable) {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    absWorkingDir: process.cwd(),
    entryPoints: [join(SOURCES, name.replace(/\.js$/, '.ts'))],
    bundle: true,
    charset: 'utf8',
    chunkNames: '[name]-[hash]',
    format: 'esm',
    legalComments: 'none',
    logLevel: 'silent',
    minify: !readable,
    outbase: SOURCES,
    outdir: SOURCES,
    sourcemap: readable ? 'inline' : false,
    splitting: true,
    target: 'es2022',
    tsconfig: join(SOURCES, 'tsconfig.json'),
    write: false,
  })
  return new Map(outputFiles.map(({ path, contents }) => [relative(SOURCES, path), Buffer.from(contents)]))
}

/**
 * The address of a picture, which contains the picture: a request for it would cost more bytes.
 * @param {string} name
 */
function pictureAddress(name) {
  const text = readFileSync(join(SOURCES, name), 'utf8').trim().replaceAll('"', "'")
  return `data:image/svg+xml,${text.replace(/[%#<>]/g, encodeURIComponent)}`
}

/** Puts the addresses into a text. @param {Buffer} text @param {Map<string, string>} addresses by name */
function withAddresses(text, addresses) {
  const put = (/** @type {string} */ found, /** @type {string} */ name) => addresses.get(name) ?? found
  return Buffer.from(text.toString().replace(REFERENCE, put))
}

/**
 * The HTML files, and everything that they name.
 * @param {boolean} readable @returns {Promise<Files>}
 */
async function makeFiles(readable) {
  const pages = filesOf(SOURCES).filter((file) => file.endsWith('.html'))
  const named = [...new Set(pages.flatMap((page) => namesIn(readFileSync(page, 'utf8'))))]
  const isPicture = (/** @type {string} */ name) => name.endsWith('.svg')
  const bundles = await Promise.all(
    named.filter((name) => !isPicture(name)).map((name) => bundle(name, readable)),
  )
  /** @type {Files} */
  const files = new Map()
  const addresses = new Map(named.filter(isPicture).map((name) => [name, pictureAddress(name)]))
  for (const [name, content] of bundles.flatMap((made) => [...made])) {
    const final = withAddresses(content, addresses)
    // The bundler has put a hash into the names of the others.
    const hashed = named.includes(name) ? withHash(name, final) : name
    if (hashed !== name) addresses.set(name, `${ADDRESS}/${hashed}`)
    files.set(hashed, final)
  }
  for (const page of pages) files.set(relative(SOURCES, page), withAddresses(readFileSync(page), addresses))
  return files
}

/** @param {string} file @param {Buffer} content */
async function compressBeside(file, content) {
  if (content.length < WORTH_COMPRESSING) return
  for (const [ending, compress] of Object.entries(COMPRESSORS))
    writeFileSync(`${file}${ending}`, await compress(content))
}

/**
 * Builds the page: each script and style sheet that its HTML files name, with a hash of the content in the name. So
 * browsers may keep them forever. Beside each file lies its compressed form.
 * @param {string} target an empty folder
 * @param {{ readable?: boolean }} [options] readable: for development, with source maps and without compressed forms
 * @throws an error of esbuild, for invalid sources
 */
export async function buildPage(target, { readable = false } = {}) {
  for (const [name, content] of await makeFiles(readable)) {
    const file = join(target, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    if (!readable) await compressBeside(file, content)
  }
}

/**
 * Builds the page again if its sources have changed.
 * @param {string} target its folder, which is replaced
 * @param {{ readable?: boolean }} [options]
 * @returns {Promise<boolean>} whether they have changed
 * @throws an error of esbuild, for invalid sources
 */
export async function updatePage(target, options) {
  const inputs = hashOf(INPUTS)
  if (isMadeFrom(target, inputs)) return false
  mkdirSync(dirname(target), { recursive: true })
  const made = mkdtempSync(`${target}-`)
  try {
    await buildPage(made, options)
    writeFileSync(join(made, STAMP), inputs)
    rmSync(target, { recursive: true, force: true })
    renameSync(made, target)
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
  return true
}
