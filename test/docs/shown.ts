import type { Test } from 'tap'
import { makeDataDir } from '../helpers/user-center.js'
import { makePrograms, type RunningCenter, runShell } from './runners.js'

/** The name of a cookie and its attributes, without its value. */
function attributesOf(setCookie: string): string[] {
  const [pair = '', ...attributes] = setCookie.split(/;\s+/)
  return [pair.split('=')[0] ?? '', ...attributes.map((attribute) => attribute.trim())]
}

/** A `Set-Cookie` line, broken and cut off as a page shows it, is the one that goes out, but for its value. */
export function sameCookie(t: Test, shown: string, sent: string): void {
  const line = shown.replaceAll(/\s+/g, ' ').replace('Set-Cookie:', '').trim()
  t.strictSame(attributesOf(line), attributesOf(sent))
  t.match(line, /^\w+=v1\.[\w-]{8}\./)
}

/** What the lines of a report begin with. */
const labelsOf = (report: string) =>
  [...report.matchAll(/^([a-z][a-z ]*?)(?: \(.*\))?:/gm)].map(([, label]) => label)

/** What `inspect` says of a credential has the lines that the page shows, in their order, and the same verdict. */
export async function holdsLabels(
  t: Test,
  shown: string,
  { env }: RunningCenter,
  credential = '',
): Promise<void> {
  const shell = { cwd: makeDataDir(t), env: { ...env, PROGRAMS: makePrograms(t) }, stdin: credential }
  const { stdout, stderr } = await runShell('npx fastify-identity inspect', shell)
  t.strictSame(labelsOf(shown), labelsOf(stdout), stderr)
  const verdict = /^verdict: .*$/m
  t.equal(verdict.exec(shown)?.[0], verdict.exec(stdout)?.[0])
}
