import { loadSignedInTexts } from './texts.js'

/* What is loaded when it is needed, so that the first load is small. */

type SignedIn = typeof import('../signed-in.js')

let part: Partial<SignedIn> = {}

async function loadPart(): Promise<void> {
  try {
    part = await import('../signed-in.js')
  } catch {
    // The next call tries again.
  }
}

const isWhole = (loaded: Partial<SignedIn>): loaded is SignedIn => 'mainView' in loaded

/**
 * Loads the part for a signed-in user. A server of another version answers with an empty script, which reloads the page.
 * @returns whether the page has it
 */
export async function loadSignedIn(): Promise<boolean> {
  const [hasTexts] = await Promise.all([loadSignedInTexts(), loadPart()])
  return hasTexts && isWhole(part)
}

/** The part for a signed-in user. */
export function signedIn(): SignedIn {
  if (!isWhole(part)) throw new Error('The page has no part for a signed-in user.')
  return part
}
