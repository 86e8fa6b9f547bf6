import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { type Test, test } from 'tap'

/** In bytes. */
const MOST = 4096
/** What only clients with `bound` load. */
const MOST_BOUND = 1536
/** What is loaded for second factors and passkeys. */
const MOST_PROVE = 512

async function measure(t: Test, entry: string, most: number) {
  const { outputFiles, metafile } = await build({
    entryPoints: [`plugins/lib/client/${entry}.ts`],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
    external: ['./bound.js', './prove.js'],
  })
  const size = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length
  t.ok(size <= most, `${size} bytes`)
  const inputs = Object.keys(metafile.inputs)
  t.same(
    inputs.filter((file) => !file.startsWith('plugins/lib/client/')),
    [],
  )
  return inputs
}

test('the client has at most 4 kB, minified and gzipped, and no dependency', async (t) => {
  await measure(t, 'client', MOST)
})

for (const [entry, most] of [
  ['bound', MOST_BOUND],
  ['prove', MOST_PROVE],
] as const)
  test(`the part ${entry} is small, and shares no file with the rest`, async (t) => {
    const part = await measure(t, entry, most)
    const rest = await measure(t, 'client', MOST)
    t.same(
      part.filter((file) => rest.includes(file)),
      [],
    )
  })
