import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import { bundle } from './bundle.mjs'
import { filesOf, hashOf, isMadeFrom, STAMP } from './inputs.mjs'

const SOURCES = 'public'
/** The address of the page's files. */
const ADDRESS = '/page'

/** Everything that the outputs depend on. */
const INPUTS = [
  SOURCES,
  'plugins/lib/client',
  'scripts/bundle.mjs',
  'scripts/inputs.mjs',
  'scripts/page.mjs',
  'tsconfig.json',
  'node_modules/esbuild/package.json',
]

/** Small files do not become smaller. In bytes. */
const WORTH_COMPRESSING = 200
const COMPRESSORS = { '.br': promisify(brotliCompress), '.gz': promisify(gzip) }

/** In HTML: the address of one of the page's files. */
const REFERENCE = new RegExp(`(?<=")${ADDRESS}/([\\w./-]+\\.(?:css|js|svg))(?=")`, 'g')

/** @typedef {import('./bundle.mjs').Files} Files */

/** @param {string} text @returns {string[]} the names of the page's files in it */
const namesIn = (text) => [...text.matchAll(REFERENCE)].map(([, name = '']) => name)

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
  /** @type {Files} */
  const files = new Map()
  const addresses = new Map(named.filter(isPicture).map((name) => [name, pictureAddress(name)]))
  await Promise.all(
    named
      .filter((name) => !isPicture(name))
      .map(async (name) => {
        const made = await bundle(SOURCES, name, readable)
        addresses.set(name, `${ADDRESS}/${made.main}`)
        for (const [file, content] of made.files) files.set(file, content)
      }),
  )
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
