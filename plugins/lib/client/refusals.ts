import type { ErrorAnswer } from './answers.js'
import { jsonOf } from './tools.js'

/** The code of a refusal; empty for any other answer. */
export const codeOf = async (response: Response): Promise<string> =>
  /40[13]/.test(`${response.status}`) ? `${(await jsonOf(response)).error}` : ''

/** A refusal that the client makes itself, without asking the server. */
export const refusal = (error: string): Response =>
  Response.json({ code: 403, msg: '', error } satisfies ErrorAnswer, { status: 403 })
