import type { Experiment } from './experiment.js'
import { allAtOnce } from './experiments/all-at-once.js'
import { anotherSecret } from './experiments/another-secret.js'
import { cartInTheSession } from './experiments/cart-in-the-session.js'
import { codeTwice } from './experiments/code-twice.js'
import { copiedJar } from './experiments/copied-jar.js'
import { copyAfterSignOut } from './experiments/copy-after-sign-out.js'
import { forgedTokens } from './experiments/forged-tokens.js'
import { guessAPassword } from './experiments/guess-a-password.js'
import { injectedScript } from './experiments/injected-script.js'
import { otherSite } from './experiments/other-site.js'
import { passwordInTheClaims } from './experiments/password-in-the-claims.js'
import { plantedSessionId } from './experiments/planted-session-id.js'
import { readWithoutAKey } from './experiments/read-without-a-key.js'
import { refreshTwice } from './experiments/refresh-twice.js'
import { threeWays } from './experiments/three-ways.js'
import { timePasses } from './experiments/time-passes.js'
import { tutorialCookie } from './experiments/tutorial-cookie.js'
import { twoServers } from './experiments/two-servers.js'
import { twoStrangers } from './experiments/two-strangers.js'

/** All experiments, in the order of the page. */
export const EXPERIMENTS: readonly Experiment[] = [
  twoStrangers,
  threeWays,
  tutorialCookie,
  readWithoutAKey,
  passwordInTheClaims,
  allAtOnce,
  forgedTokens,
  timePasses,
  copyAfterSignOut,
  refreshTwice,
  plantedSessionId,
  otherSite,
  injectedScript,
  cartInTheSession,
  twoServers,
  anotherSecret,
  guessAPassword,
  codeTwice,
  copiedJar,
]
