import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type {
  Account,
  AccountId,
  AuthMode,
  AuthModes,
  Identity,
  ModeName,
  SignInOptions,
} from '../contract.js'
import { CredentialAmbiguous, IdentityUnguarded } from '../errors.js'
import { forbidCaching } from '../http/no-store.js'
import { checkAccount } from './account-check.js'
import { begunBefore, endBegun, keepBegun } from './begun.js'
import { clearRefusedBefore, noteSigningIn } from './clear-refused.js'
import { takeBackEnded, untilAnswer } from './until-answer.js'

/** Where a request keeps its reply. */
export const kReply = Symbol('fastify-identity.reply')

// Named out here: a name that is used within the augmentation alone loses its import in the declarations.
type Reply = FastifyReply

declare module 'fastify' {
  interface FastifyRequest {
    [kReply]?: Reply
  }
}

const TOO_EARLY =
  'request.signIn or request.signOut was called in a hook that runs before those of the suite.'
function replyOf(request: FastifyRequest): FastifyReply {
  const reply = request[kReply]
  if (!reply) throw new IdentityUnguarded(TOO_EARLY)
  return reply
}

/** Hook: `request.signIn` writes into the headers of the request's reply. */
export function rememberReply(
  request: FastifyRequest,
  reply: FastifyReply,
  done: HookHandlerDoneFunction,
): void {
  request[kReply] = reply
  done()
}

/** The sign-in that a new one of this mode replaces. A malformed credential stands for none. */
async function ownIdentity(mode: AuthMode, request: FastifyRequest): Promise<Identity | null> {
  try {
    const resolution = await mode.resolve(request)
    return resolution.kind === 'identity' ? resolution.identity : null
  } catch (error) {
    if (error instanceof CredentialAmbiguous) return null
    throw error
  }
}

/** `request.signIn`. */
export async function signIn<N extends ModeName>(
  this: FastifyRequest,
  name: N,
  account: Account<AccountId>,
  options: SignInOptions = {},
): Promise<AuthModes[N]> {
  const mode = this.server.authModes.get(name)
  const checked = checkAccount(account)
  const reply = replyOf(this)
  forbidCaching(reply)
  return untilAnswer(this, reply, `request.signIn('${name}')`, async () => {
    const replaces = begunBefore(this, mode) ?? (await ownIdentity(mode, this)) ?? undefined
    noteSigningIn(this, name)
    const { issued, signIn: begun } = await mode.issue(this, reply, checked, { ...options, replaces })
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

/** `request.signOut`. */
export async function signOut(this: FastifyRequest, name: ModeName): Promise<boolean> {
  const mode = this.server.authModes.get(name)
  const reply = replyOf(this)
  forbidCaching(reply)
  return untilAnswer(this, reply, `request.signOut('${name}')`, async () => {
    const hadBegun = await endBegun(this, name)
    return (await mode.signOut(this, reply)) || hadBegun
  })
}
