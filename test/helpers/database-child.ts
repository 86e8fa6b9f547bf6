/*
 * Another process on a data directory. It says `ready`; then each line `open <dir>` or `lock <dir>` on its
 * standard input is answered by one that says how that went. What it opened and locked, it keeps.
 */
import { createInterface } from 'node:readline'
import { databaseFile, lockDataDir, openDatabase } from '../../plugins/lib/database/embedded.js'

async function lock(dataDir: string): Promise<string> {
  await lockDataDir(dataDir)
  return 'locked'
}

async function open(dataDir: string): Promise<string> {
  const { kysely } = await openDatabase(databaseFile(dataDir))
  const accounts = await kysely.selectFrom('accounts').select('id').execute()
  return `opened, ${accounts.length} accounts`
}

process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const [action, dataDir = ''] = line.split('\t')
  const acting = action === 'lock' ? lock(dataDir) : open(dataDir)
  process.stdout.write(`${await acting.catch((error: unknown) => `${error}`)}\n`)
}
