import { loadSignedInTexts } from './texts.js'

/* Parts of the page that load on first use, so that the first load is small. */

/** @param sign a name that the part exports. Without it, the answer is not that part. */
function makePart<T extends object>(sign: string, load: () => Promise<T>) {
  let part: T | null = null
  return {
    /** The part, if it has loaded. */
    get: (): T | null => part,
    /** A server of another version answers with a script that only reloads the page. @returns null if loading fails */
    async load(): Promise<T | null> {
      try {
        const loaded = await load()
        if (sign in loaded) part = loaded
      } catch {
        // The next call tries again.
      }
      return part
    },
  }
}

const forPerson = makePart('mainView', () => import('../signed-in.js'))

/** The second step of a sign-in, and the sign-in by a passkey. */
export const secondStep = makePart('secondStepView', () => import('../factors/sign-in.js'))
/** The dialog that asks for a proof. */
export const dialog = makePart('askForProof', () => import('../factors/step-up.js'))

/** Loads the part for a signed-in user, with its texts. @returns whether the page has both */
export async function loadSignedIn(): Promise<boolean> {
  const [hasTexts, part] = await Promise.all([loadSignedInTexts(), forPerson.load()])
  return hasTexts && part !== null
}

/** The part for a signed-in user. */
export function signedIn() {
  const part = forPerson.get()
  if (!part) throw new Error('The page has no part for a signed-in user.')
  return part
}
