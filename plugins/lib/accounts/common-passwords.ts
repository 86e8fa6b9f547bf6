import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { loadOptional } from '../optional.js'
import { Type } from '../shape.js'

const PACKAGE = '@zxcvbn-ts/language-common'

/** Shorter passwords are refused as too short anyway. In characters. */
const LENGTH_MIN = 8

const findFile = (): Promise<string> =>
  loadOptional(
    PACKAGE,
    async () => createRequire(import.meta.url).resolve(`${PACKAGE}/src/passwords.json`),
    'Choosing a password',
  )

const isWords = Type.Array(Type.String())

/** Returns one text, with a line for each word. */
async function readWords(file: string): Promise<string> {
  const words: unknown = JSON.parse(await readFile(file, 'utf8'))
  if (!isWords(words)) throw new TypeError(`${file} is no list of words`)
  return `\n${words.filter((word) => word.length >= LENGTH_MIN).join('\n')}\n`
}

/**
 * Whether a text, in lower case, is one of about 18 000 most guessed passwords.
 * @throws DEPENDENCY_MISSING
 */
export type IsCommonPassword = (text: string) => Promise<boolean>

/**
 * Reads the list at the first use, and again if that failed. Importing the package would keep 3 MB in memory for a few
 * lookups a day; reading its file keeps 170 KB. (A later minor version may move the file, hence the range in
 * package.json.)
 * @param find returns the path of the file
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
