import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { loadOptional } from '../optional.js'
import { Type } from '../shape.js'

const PACKAGE = '@zxcvbn-ts/language-common'

/** Shorter ones are refused for being short. In characters. */
const LENGTH_MIN = 8

const findFile = (): Promise<string> =>
  loadOptional(
    PACKAGE,
    async () => createRequire(import.meta.url).resolve(`${PACKAGE}/src/passwords.json`),
    'Choosing a password',
  )

const isWords = Type.Array(Type.String())

/** One text with a line for each word. */
async function readWords(file: string): Promise<string> {
  const words: unknown = JSON.parse(await readFile(file, 'utf8'))
  if (!isWords(words)) throw new TypeError(`${file} is no list of words`)
  return `\n${words.filter((word) => word.length >= LENGTH_MIN).join('\n')}\n`
}

/**
 * Whether a text, in lower case, is one of some 18 000 passwords that are guessed first.
 * @throws DEPENDENCY_MISSING
 */
export type IsCommonPassword = (text: string) => Promise<boolean>

/**
 * Reads the list when it is first asked for, and again where that failed. As a module the package would stay in
 * memory whole, 3 MB for a few looks in a day: its file is read instead, and 170 KB are kept. (A later minor version
 * may have it elsewhere, hence the range in package.json.)
 * @param find where the file is
 */
export function createCommonPasswords(find: () => Promise<string> = findFile): IsCommonPassword {
  let reading: Promise<string> | undefined
  const words = async () => {
    reading ??= find().then(readWords)
    try {
      return await reading
    } catch (error) {
      reading = undefined
      throw error
    }
  }
  return async (text) => !text.includes('\n') && (await words()).includes(`\n${text}\n`)
}

/** One for the process. */
export const isCommonPassword = createCommonPasswords()
