/*
 * Another process that starts on data directories. It says `ready`; then each line of its standard input, one or
 * more directories with tabs between them, is answered by a line with their secrets.
 */
import { createInterface } from 'node:readline'
import { developmentSecret } from '../../plugins/lib/config/development-secret.js'

process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${line.split('\t').map(developmentSecret).join('\t')}\n`)
}
