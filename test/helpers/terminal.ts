import { Readable, Writable } from 'node:stream'
import type { Terminal } from '../../plugins/lib/cli/command.js'
import { main } from '../../plugins/lib/cli/main.js'

/** Keeps what is written to it, as text. */
export class Collected extends Writable {
  text = ''
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk
    done()
  }
}

/** Standard input with these bytes, as they come. */
export const input = (...chunks: (string | Buffer)[]) =>
  Readable.from(chunks.map((chunk) => Buffer.from(chunk)))

/** Runs the command line in this process. */
export async function runCommand(
  args: string[],
  given: Pick<Terminal, 'env'> & Partial<Pick<Terminal, 'stdin' | 'clock'>>,
) {
  const stdout = new Collected()
  const stderr = new Collected()
  const status = await main(args, { stdin: input(), ...given, stdout, stderr })
  return { status, stdout: stdout.text, stderr: stderr.text }
}
