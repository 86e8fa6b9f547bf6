import type { FastifyReply, FastifyRequest } from 'fastify'
import type { AuthMode } from '../contract.js'
import { DeviceProofRequired, SignedOut } from '../errors.js'
import { verifyCompact } from '../jws/compact.js'
import { importPublicJwk, type PublicKey } from '../jws/public-key.js'
import { isLiveNow } from '../sign-ins/liveness.js'
import { type Challenge, isAnswerable } from './challenges.js'
import type { DeviceBinding } from './device-binding.js'
import { responseOf } from './headers.js'
import type { DeviceRef } from './ref.js'

/** A genuine registration: signed by the device's key, with the code of a sign-in. */
interface Registration {
  readonly ref: DeviceRef
  readonly key: PublicKey
  readonly challenge: Challenge
}

/** Null unless code, challenge, key and signature are valid. The cheap checks come first. */
function readRegistration({ parts }: DeviceBinding, request: FastifyRequest): Registration | null {
  const { codes, challenges, clock } = parts
  const now = clock()
  const response = responseOf(request)
  const ref = response && codes.readRegistration(response.payload.authorization, now)
  if (!response || !ref) return null
  const challenge = challenges.read(ref, response.payload.jti)
  if (challenge?.kind !== 'r' || !isAnswerable(challenge, now)) return null
  const key = importPublicJwk(response.header.jwk)
  return key && verifyCompact(response, key) ? { ref, key, challenge } : null
}

/**
 * The request must have the cookie of the same sign-in. Otherwise an attacker who has seen a code could bind another
 * person's sign-in to their own key. That person's browser would then be refused.
 */
async function requireOwn(request: FastifyRequest, mode: AuthMode, ref: DeviceRef): Promise<void> {
  const resolution = await mode.resolve(request)
  if (resolution.kind === 'refused' && resolution.code === 'SIGNED_OUT') throw new SignedOut()
  const own = resolution.kind === 'identity' ? resolution.identity : null
  if (own?.signInId !== ref.signInId || own.accountId !== ref.accountId) throw new DeviceProofRequired()
}

/**
 * Binds a sign-in to the device whose key has signed the registration. No later registration replaces it.
 * @throws DEVICE_PROOF_REQUIRED, SIGNED_OUT, STORE_UNAVAILABLE
 */
export async function registerDevice(
  binding: DeviceBinding,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object> {
  const { signIns, bindings, codes, audit } = binding.parts
  const registration = readRegistration(binding, request)
  const devices = registration && binding.of(registration.ref.mode)
  if (!devices) throw new DeviceProofRequired()
  const { ref, key, challenge } = registration
  await requireOwn(request, request.server.authModes.get(ref.mode), ref)
  const text = bindings.toDevice(ref, key)
  const record = await devices.settlement.bind(ref, text)
  if (!record || !(await isLiveNow(signIns, ref))) throw new SignedOut()
  if (record.binding !== text) throw new DeviceProofRequired()
  const { accountId, signInId, mode } = ref
  audit.emit({ type: 'sign_in_bound', accountId, signInId, mode }, request)
  const identifier = codes.identifier(ref)
  const configuration = devices.prove(request, reply, ref, identifier, challenge)
  devices.mode.issueBound?.(request, reply)
  return configuration
}
