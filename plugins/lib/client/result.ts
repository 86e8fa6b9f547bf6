import type { Answer, ErrorAnswer } from './answers.js'
import { retryAfterOf } from './backoff.js'
import { jsonOf } from './tools.js'

/** The answer to signing in or out. `retryAfter` is in seconds, 0 if the server named no time. */
export type Result<T> =
  | { readonly ok: true; readonly status: number; readonly answer: Answer<T>; readonly retryAfter: number }
  | { readonly ok: false; readonly status: number; readonly answer: ErrorAnswer; readonly retryAfter: number }

const isAnswer = <T>(body: object): body is Answer<T> & ErrorAnswer => 'msg' in body

/** An answer that is not the user center's, such as a proxy's, is the failure `UNEXPECTED`. */
export async function resultOf<T>(response: Response): Promise<Result<T>> {
  const { ok, status } = response
  const body = await jsonOf(response)
  const retryAfter = retryAfterOf(response)
  return isAnswer<T>(body)
    ? { ok, status, answer: body, retryAfter }
    : { ok: false, status, answer: { code: status, msg: '', error: 'UNEXPECTED' }, retryAfter }
}
