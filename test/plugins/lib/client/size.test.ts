import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { test } from 'tap'

/** In bytes. */
const MOST = 4096

test('the client has at most 4 kB, minified and gzipped, and no dependency', async (t) => {
  const { outputFiles, metafile } = await build({
    entryPoints: ['plugins/lib/client/client.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
  })
  const size = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length
  t.ok(size <= MOST, `${size} bytes`)
  const inputs = Object.keys(metafile.inputs)
  t.same(
    inputs.filter((file) => !file.startsWith('plugins/lib/client/')),
    [],
  )
})
