// Runs test files in turn for test-process.mjs. It ends when its parent disconnects and no test left anything open.
import { runHere } from './file-tap.mjs'

process.on('message', async (/** @type {Parameters<typeof runHere>[0]} */ file) => {
  process.send?.(await runHere(file))
})
