import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, extname, join, relative } from 'node:path'

/** @typedef {Map<string, Buffer>} Files contents by name */

/** @param {string} name of a file of the page @param {string | Uint8Array} content */
function withHash(name, content) {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16)
  const type = extname(name)
  return `${name.slice(0, -type.length)}-${hash}${type}`
}

/**
 * Makes everything that is loaded later import the entry. Without this, esbuild would put what both use into a third
 * file, and the first load would be slower. With it, that file has all of the entry.
 * @param {string} entry @returns {import('esbuild').Plugin}
 */
function importEntry(entry) {
  /** @type {Set<string>} */
  const later = new Set()
  const known = Symbol('resolved')
  return {
    name: 'import-entry',
    setup(build) {
      build.onResolve({ filter: /^\./ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
        if (kind !== 'dynamic-import' || pluginData === known) return null
        const resolved = await build.resolve(path, { kind, resolveDir, importer, pluginData: known })
        later.add(resolved.path)
        return resolved
      })
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (!later.has(path)) return null
        const first = `import ${JSON.stringify(relative(dirname(path), entry).replace(/^(?!\.)/, './'))};`
        return { contents: first + readFileSync(path, 'utf8'), loader: 'ts' }
      })
    },
  }
}

/**
 * Gives the entry's file its final name, also in the files that are loaded later. Those have a hash in their names
 * already, which changes with the entry.
 * @param {Files} files @param {string} name of the entry @param {string} made the name of the file with its code
 * @returns {{ main: string, files: Files }}
 */
function nameEntry(files, name, made) {
  const content = files.get(made) ?? Buffer.alloc(0)
  const main = withHash(name, content)
  const rename = (/** @type {Buffer} */ text) =>
    Buffer.from(
      text.toString().replaceAll(`./${relative(dirname(name), made)}`, `./${relative(dirname(name), main)}`),
    )
  const others = [...files].filter(([each]) => each !== made && each !== name)
  return {
    main,
    files: new Map([
      [main, content],
      ...others.map(([each, text]) => /** @type {const} */ ([each, rename(text)])),
    ]),
  }
}

/**
 * Bundles a script or a style sheet. It is one file, and one more for each `import()`. All are in the same folder, with a
 * hash of the content in the name.
 * @param {string} sources the folder of the sources @param {string} name of the script or style sheet in it
 * @param {boolean} readable @returns {Promise<{ main: string, files: Files }>} `main` is the name of its file
 */
export async function bundle(sources, name, readable) {
  const { build } = await import('esbuild')
  const entry = join(sources, name.replace(/\.js$/, '.ts'))
  const { outputFiles, metafile } = await build({
    absWorkingDir: process.cwd(),
    entryPoints: [entry],
    bundle: true,
    charset: 'utf8',
    chunkNames: join(dirname(name), '[name]-[hash]'),
    format: 'esm',
    legalComments: 'none',
    loader: { '.svg': 'dataurl' },
    logLevel: 'silent',
    metafile: true,
    minify: !readable,
    outbase: sources,
    outdir: sources,
    plugins: [importEntry(join(process.cwd(), entry))],
    sourcemap: readable ? 'inline' : false,
    splitting: true,
    target: 'es2022',
    tsconfig: join(sources, 'tsconfig.json'),
    write: false,
  })
  const files = new Map(
    outputFiles.map(({ path, contents }) => [relative(sources, path), Buffer.from(contents)]),
  )
  // An entry that is loaded later too is one import of the file with its code.
  const chunk = metafile.outputs[join(sources, name)]?.imports.find(({ kind }) => kind === 'import-statement')
  return nameEntry(files, name, chunk ? relative(sources, chunk.path) : name)
}
