import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthMode, AuthModes, FactorMethod, GivenFactor, ModeName, StepUpOptions } from '../contract.js'
import { checkFactors } from '../credentials/given-factors.js'
import { ModeRequired, SignedOut } from '../errors.js'
import { forbidCaching } from '../http/no-store.js'
import { isLiveNow } from '../sign-ins/liveness.js'
import { refOfRecord } from '../sign-ins/record.js'
import { keepBegun } from './begun.js'
import { foundCaller } from './caller.js'
import { noteSigningIn } from './clear-refused.js'
import { kUnauthenticatedStatus, refusedError } from './refused.js'
import { replyOf } from './sign-in.js'
import { takeBackEnded, untilAnswer } from './until-answer.js'

/** Adds factors to the caller's sign-in. If the sign-in ends meanwhile, it stays ended and its client gets no credential. */
export async function stepUp(
  this: FastifyRequest,
  factors: readonly (FactorMethod | GivenFactor)[],
  options: StepUpOptions = {},
): Promise<AuthModes[ModeName]> {
  const { identity } = foundCaller(this, 'stepUp')
  const { server } = this
  const mode = server.authModes.get(identity.mode)
  if (!mode.stepUp) throw new ModeRequired()
  const given = checkFactors(factors, server.identityClock())
  const reply = replyOf(this)
  forbidCaching(reply)
  return untilAnswer(this, reply, 'request.stepUp', async () => {
    const { accountId, signInId } = identity
    const record = await server.signIns.find(accountId, signInId)
    if (!record) throw signedOut(this, mode)
    noteSigningIn(this, mode.name)
    const issued = await strengthen(this, reply, mode, given, options)
    const ref = refOfRecord(record)
    keepBegun(this, mode.name, ref)
    takeBackEnded(this, reply, mode, ref)
    if (!(await isLiveNow(server.signIns, ref))) throw signedOut(this, mode)
    const factors = given.map(({ method }) => method)
    server.audit.emit({ type: 'stepped_up', accountId, signInId, mode: mode.name, factors }, this)
    return issued
  })
}

async function strengthen(
  request: FastifyRequest,
  reply: FastifyReply,
  mode: AuthMode,
  given: readonly GivenFactor[],
  options: StepUpOptions,
): Promise<AuthModes[ModeName]> {
  if (!mode.stepUp) throw new ModeRequired()
  try {
    return await mode.stepUp(request, reply, given, options)
  } catch (error) {
    throw error instanceof SignedOut ? signedOut(request, mode) : error
  }
}

/**
 * The same refusal as a guard's. Clears no cookie, because the browser may have signed in again meanwhile.
 */
function signedOut({ server }: FastifyRequest, mode: AuthMode): Error {
  return refusedError(server[kUnauthenticatedStatus], [mode], [{ code: 'SIGNED_OUT', mode }])
}
