import { build } from 'esbuild'

/** The client as an application would bundle it: a script that defines `identity`. */
export async function bundleClient(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: ['plugins/lib/client/client.ts'],
    bundle: true,
    format: 'iife',
    globalName: 'identity',
    write: false,
  })
  return outputFiles[0]?.text ?? ''
}
