import { OptionInvalid, PasswordRefused } from '../errors.js'
import { isCommonPassword } from './common-passwords.js'
import { isTooLong } from './passwords.js'
import { foldText } from './usernames.js'

/** The minimum length of a new password, in code points. */
export const PASSWORD_MIN_LENGTH = 8

/** Why a new password is refused: `reason` on the wire. */
export type PasswordFault = 'too_short' | 'too_long' | 'common' | 'like_username'

/** Decides which passwords may be chosen. It never changes a password: an accepted one is hashed as it was typed. */
export interface PasswordPolicy {
  /** @throws DEPENDENCY_MISSING */
  fault(password: string, username: string): Promise<PasswordFault | null>
  /** @throws PASSWORD_REFUSED with the reason, DEPENDENCY_MISSING */
  check(password: string, username: string): Promise<void>
}

/** Shorter names and words occur in too many good passwords by chance. In code points after folding. */
const WORD_MIN_LENGTH = 3

const lengthOf = (text: string) => [...text].length

/** Whether a word may be listed: it must have 3 characters or more. */
export function isPasswordWord(word: unknown): word is string {
  return typeof word === 'string' && lengthOf(foldText(word)) >= WORD_MIN_LENGTH
}

function checkWords(words: readonly string[]): readonly string[] {
  if (!Array.isArray(words) || !words.every(isPasswordWord)) {
    throw new OptionInvalid('passwordWords', `wants words of ${WORD_MIN_LENGTH} characters or more`)
  }
  return words.map(foldText)
}

/** Compares texts as usernames are compared: neither case nor full-width letters make another word. */
async function faultOf(words: readonly string[], password: string, username: string) {
  if (isTooLong(password)) return 'too_long'
  if (lengthOf(password) < PASSWORD_MIN_LENGTH) return 'too_short'
  const [text, name] = [foldText(password), foldText(username)]
  if (lengthOf(name) >= WORD_MIN_LENGTH && text.includes(name)) return 'like_username'
  const isCommon = words.some((word) => text.includes(word)) || (await isCommonPassword(text))
  return isCommon ? 'common' : null
}

/**
 * Accepts any characters, from 8 characters to 1024 bytes. Refuses the most common passwords, and those that contain the
 * username or one of the words.
 * @param words such as the product's name: attackers try them first
 * @throws OPTION_INVALID
 */
export function createPasswordPolicy(words: readonly string[] = []): PasswordPolicy {
  const folded = checkWords(words)
  return Object.freeze({
    fault: (password: string, username: string) => faultOf(folded, password, username),
    async check(password: string, username: string) {
      const fault = await faultOf(folded, password, username)
      if (fault) throw new PasswordRefused(fault)
    },
  })
}
