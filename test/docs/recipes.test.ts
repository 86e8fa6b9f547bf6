// In a process of its own: it changes the directory.

import { test } from 'tap'
import { recipes } from './blocks.js'
import { read } from './links.js'
import { runBlocks } from './run-blocks.js'

const MOST_LINES = 120

test('every recipe runs, and does what its page says', (t) => runBlocks(t, recipes()))

test('a recipe is one page', async (t) => {
  for (const page of recipes()) {
    const lines = read(page).trimEnd().split('\n').length
    t.ok(lines <= MOST_LINES, `${page}: ${lines} lines`)
  }
})
