import type { alone } from './alone.js'
import type { SignedInByFactor, TokenPair } from './answers.js'
import type { Mode } from './mode.js'
import type { Proof } from './options.js'
import type { Result } from './result.js'
import type { Parts } from './tokens.js'

/*
 * Loads on first use. It imports no code that the rest of the client imports: bundlers would put that into a third file.
 */

type Answered = Promise<Result<SignedInByFactor | undefined>>
const isPair = (data: SignedInByFactor | undefined): data is SignedInByFactor & TokenPair =>
  data?.token !== undefined

type Send<I> = (path: string, init: I, body: object) => Answered

/** Sends the proof to its route: second step of a login, passkey alone, or step-up. */
export async function prove<I>(
  proof: Proof,
  init: I,
  mode: Mode,
  parts: Pick<Parts, 'env' | 'name' | 'tell' | 'storage' | 'inCookie'>,
  exclusive: typeof alone,
  name: string,
  send: Send<I>,
): Answered {
  if (!('pending' in proof))
    return stepUp(mode, parts, exclusive, (more) => send('./step_up', init, { ...proof, ...more }))
  // For a second step, the server knows mode and cookie from the login. A passkey alone must name them.
  const isWhole = !('factor' in proof)
  const asked = isWhole && { mode: name, ...(parts.inCookie && { refresh_cookie: true }) }
  const result = await send(isWhole ? './login_passkey' : './login_factor', init, { ...proof, ...asked })
  if (!result.ok) return result
  await mode.signedIn(result.answer.data)
  if (name !== 'token') parts.tell({ ended: null })
  return result
}

/** Exchanges the tokens, like a refresh. No other tab may refresh them meanwhile. */
async function stepUp(
  mode: Mode,
  { env, name, tell, storage, inCookie }: Pick<Parts, 'env' | 'name' | 'tell' | 'storage' | 'inCookie'>,
  exclusive: typeof alone,
  send: (more: object) => Answered,
): Answered {
  // A page that was just loaded may have its tokens only in the storage.
  await mode.ready?.()
  if (!mode.held()) return send({})
  return exclusive(env, name, async () => {
    const before: string | undefined = mode.held()?.pair.refresh_token
    const result = await send({ refresh_token: before })
    if (!result.ok || !isPair(result.answer.data)) return result
    const pair = result.answer.data
    await storage?.save(pair.refresh_token ?? null)
    const message = { before: inCookie ? null : (before ?? null), pair }
    tell(message)
    // This tab takes the new pair as if another tab had refreshed it.
    mode.hear(message)
    return result
  })
}
