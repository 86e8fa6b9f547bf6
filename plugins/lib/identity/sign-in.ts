import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Account, AccountId, AuthMode, AuthModes, ModeName, SignInOptions } from '../contract.js'
import { checkFactors } from '../credentials/given-factors.js'
import { CredentialAmbiguous, IdentityUnguarded } from '../errors.js'
import { forbidCaching } from '../http/no-store.js'
import { checkAccount } from './account-check.js'
import { begunBefore, endBegun, keepBegun } from './begun.js'
import { clearRefusedBefore, noteSigningIn } from './clear-refused.js'
import { takeBackEnded, untilAnswer } from './until-answer.js'

export const kReply = Symbol('fastify-identity.reply')

// An alias, because the declarations would lose an import that is only used inside the augmentation.
type Reply = FastifyReply

declare module 'fastify' {
  interface FastifyRequest {
    [kReply]?: Reply
  }
}

const TOO_EARLY =
  'request.signIn or request.signOut was called in a hook that runs before those of the suite.'
export function replyOf(request: FastifyRequest): FastifyReply {
  const reply = request[kReply]
  if (!reply) throw new IdentityUnguarded(TOO_EARLY)
  return reply
}

/** Hook. Fastify links a reply to its request only, and `request.signIn` needs the reply's headers. */
export function rememberReply(
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  request[kReply] = reply
  done()
}

/** The sign-in that a new one of this mode replaces. Null also for a malformed credential. */
async function ownSignIn(mode: AuthMode, request: FastifyRequest): Promise<SignInOptions['replaces'] | null> {
  try {
    const resolution = await mode.resolve(request)
    if (resolution.kind === 'refused') return resolution.signIn ?? null
    return resolution.kind === 'identity' ? resolution.identity : null
  } catch (error) {
    if (error instanceof CredentialAmbiguous) return null
    throw error
  }
}

export async function signIn<N extends ModeName>(
  this: FastifyRequest,
  name: N,
  account: Account<AccountId>,
  options: SignInOptions = {},
): Promise<AuthModes[N]> {
  const mode = this.server.authModes.get(name)
  const checked = checkAccount(account)
  const factors = checkFactors(options.factors ?? ['password'], this.server.identityClock())
  const reply = replyOf(this)
  forbidCaching(reply)
  return untilAnswer(this, reply, `request.signIn('${name}')`, async () => {
    const replaces = begunBefore(this, mode) ?? (await ownSignIn(mode, this)) ?? undefined
    noteSigningIn(this, name)
    const { issued, signIn: begun } = await mode.issue(this, reply, checked, {
      ...options,
      factors,
      replaces,
    })
    const signInId = begun?.signInId ?? null
    this.server.audit.emit({ type: 'signed_in', accountId: checked.id, signInId, mode: name }, this)
    if (begun) {
      keepBegun(this, name, begun)
      takeBackEnded(this, reply, mode, begun)
    }
    await clearRefusedBefore(this, reply, mode)
    return issued
  })
}

export async function signOut(this: FastifyRequest, name: ModeName): Promise<boolean> {
  const mode = this.server.authModes.get(name)
  const reply = replyOf(this)
  forbidCaching(reply)
  return untilAnswer(this, reply, `request.signOut('${name}')`, async () => {
    const hadBegun = await endBegun(this, name)
    return (await mode.signOut(this, reply)) || hadBegun
  })
}
