// npm run diagrams      draws every docs/diagrams/*.txt, in English (.svg) and in Chinese (.zh.svg)

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseSequence } from './sequence.mjs'
import { drawSequence } from './sequence-svg.mjs'

/**
 * @param {string} directory of the texts
 * @returns {Map<string, string>} the pictures, by the names of their files
 */
export function drawDiagrams(directory) {
  const pictures = new Map()
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.txt'))) {
    const sequence = parseSequence(readFileSync(join(directory, file), 'utf8'), file)
    pictures.set(file.replace(/\.txt$/, '.svg'), drawSequence(sequence, 'en'))
    pictures.set(file.replace(/\.txt$/, '.zh.svg'), drawSequence(sequence, 'zh'))
  }
  return pictures
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const directory = 'docs/diagrams'
  for (const [file, svg] of drawDiagrams(directory)) writeFileSync(join(directory, file), svg)
}
