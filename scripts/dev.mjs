// Runs the user center from its sources: npm run dev [-- options of "fastify start"]
// After a change it compiles the changed files and restarts the server. It does not check types: the editor and
// `npm run typecheck` do.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, watch } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { updatePage } from './page.mjs'
import { transpileInto } from './transpile.mjs'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))

const FOLDERS = ['config', 'examples', 'plugins', 'routes']
const WATCHED = [...FOLDERS, 'public']
const TARGET = '.tap/dev'
/** An editor writes a file in several steps. In ms. */
const SETTLE = 30
/** Requests under way may delay the stop. Also the wait after an error. In ms. */
const GRACE = 500

const FASTIFY = ['node_modules/.bin/fastify', 'start', '--options', '--config', 'scripts/start-options.cjs']

/** @type {import('node:child_process').ChildProcess | null} */
let server = null
let isEnding = false

function start() {
  if (isEnding) return
  const args = ['--enable-source-maps', ...FASTIFY, ...process.argv.slice(2), `${TARGET}/app.js`]
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  server = child
  child.once('exit', (status) => {
    server = null
    if (child.killed || isEnding) return
    console.error(`The server ended with ${status}. The next change starts it again.`)
  })
}

/** Also if another call is already stopping it: nobody may go on before the server has ended. */
async function stop() {
  const child = server
  if (!child) return
  const late = setTimeout(() => child.kill('SIGKILL'), GRACE)
  child.kill('SIGTERM')
  await once(child, 'exit')
  clearTimeout(late)
}

/** @returns {Promise<'changed' | 'same' | 'faulty'>} */
async function compilePage() {
  try {
    return (await updatePage(`${TARGET}/public`, { readable: true })) ? 'changed' : 'same'
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 'faulty'
  }
}

/** @returns {Promise<boolean>} whether there is something new to run */
async function compile() {
  const { changed, faults } = await transpileInto(['app.ts', ...FOLDERS], TARGET)
  for (const fault of faults) console.error(fault)
  const page = await compilePage()
  return faults.length === 0 && page !== 'faulty' && (changed || page === 'changed')
}

/** @param {string} folder @returns {string[]} itself and the folders in it */
function foldersUnder(folder) {
  const inner = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !['dist', 'node_modules'].includes(entry.name))
    .flatMap((entry) => foldersUnder(join(folder, entry.name)))
  return [folder, ...inner]
}

/** @type {import('node:fs').FSWatcher[]} */
let watchers = []

/**
 * Watches folders, not files: an editor may put a new file in the place of the old one. It begins anew after each
 * change, since folders come and go.
 */
function watchFolders() {
  for (const watcher of watchers) watcher.close()
  const root = watch('.', (_, name) => {
    if (name === 'app.ts') update()
  })
  watchers = [root, ...WATCHED.flatMap(foldersUnder).map((folder) => watch(folder, update))]
}

let isDue = false
let isUpdating = false

async function update() {
  isDue = true
  if (isUpdating) return
  isUpdating = true
  while (isDue) {
    isDue = false
    await delay(SETTLE)
    try {
      watchFolders()
      if (!(await compile())) continue
    } catch (error) {
      // For example, a file that was deleted while it was read.
      console.error(error)
      await delay(GRACE)
      isDue = true
      continue
    }
    await stop()
    start()
  }
  isUpdating = false
}

process.once('SIGTERM', async () => {
  isEnding = true
  await stop()
  process.exit()
})
// A terminal sends this to the server too.
process.once('SIGINT', async () => {
  isEnding = true
  if (server) await once(server, 'exit')
  process.exit()
})

watchFolders()
await compile()
start()
