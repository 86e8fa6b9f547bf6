import type { Environment } from './environment.js'
import { type Init, makeOutgoing } from './outgoing.js'

/**
 * Sends JSON to a path below the base, within a time limit that includes the answer's body.
 * @param limit in milliseconds
 * @throws TypeError without an answer, DOMException (`TimeoutError`)
 */
export async function post(
  env: Environment,
  base: URL,
  path: string,
  limit: number,
  init: Init,
  body: object | undefined,
  token?: string,
): Promise<Response> {
  const outgoing = makeOutgoing(env, base, path, {
    ...init,
    method: 'POST',
    // Its type becomes the content type.
    body: body && new Blob([JSON.stringify(body)], { type: 'application/json' }),
    redirect: 'error',
    signal: env.timeout(limit),
  })
  const answer = await outgoing.send(token)
  return new Response((await answer.text()) || null, answer)
}
