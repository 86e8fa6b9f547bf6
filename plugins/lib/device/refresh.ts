import type { FastifyReply, FastifyRequest } from 'fastify'
import { DeviceProofRequired, SignedOut } from '../errors.js'
import { type Compact, verifyCompact } from '../jws/compact.js'
import { isLiveNow } from '../sign-ins/liveness.js'
import { refOfRecord } from '../sign-ins/record.js'
import type { SignInRecord } from '../stores/contract.js'
import { type Challenge, isAnswerable } from './challenges.js'
import type { Identifier } from './codes.js'
import type { DeviceBinding } from './device-binding.js'
import { identifierOf, responseOf } from './headers.js'
import type { BindableMode, ModeDevices } from './mode-devices.js'

/** A request's claim to be a certain bound sign-in. */
interface Claimed {
  readonly identifier: Identifier
  readonly devices: ModeDevices & { readonly mode: BindableMode }
}

/** Looks nothing up for a forged identifier. @throws SIGNED_OUT */
async function readClaimed(binding: DeviceBinding, request: FastifyRequest): Promise<Claimed> {
  const { codes, signIns } = binding.parts
  const identifier = codes.readIdentifier(identifierOf(request) ?? '')
  const devices = identifier && binding.of(identifier.ref.mode)
  if (!devices) throw new SignedOut()
  if (identifier.isGenuine && !(await signIns.isLive(identifier.ref))) throw new SignedOut()
  return { identifier, devices }
}

interface Answer {
  readonly response: Compact
  readonly challenge: Challenge
}

/** The request's answer to a challenge for this sign-in that is new enough. Its signature is not verified yet. */
function readAnswer(binding: DeviceBinding, request: FastifyRequest, { identifier }: Claimed): Answer | null {
  const { challenges, clock } = binding.parts
  const response = responseOf(request)
  const challenge = response && challenges.read(identifier.ref, response.payload.jti)
  if (!challenge || challenge.kind === 'r' || !isAnswerable(challenge, clock())) return null
  return { response, challenge }
}

/**
 * The record of the sign-in. If the request has the mode's own cookie, it must be of the same sign-in. There may be no
 * cookie: after a link from another site, a browser refreshes without cookies.
 * @throws SIGNED_OUT
 */
async function findRecord(
  binding: DeviceBinding,
  request: FastifyRequest,
  { identifier: { ref }, devices }: Claimed,
): Promise<SignInRecord> {
  const record = await binding.parts.signIns.find(ref.accountId, ref.signInId)
  if (!record || devices.mode.isOther(request, record)) throw new SignedOut()
  return record
}

/**
 * The record of the sign-in, if its key has signed the answer. Null for another key.
 * @throws SIGNED_OUT also for a sign-in that is not bound
 */
async function verifyAnswer(
  binding: DeviceBinding,
  request: FastifyRequest,
  claimed: Claimed,
  { response }: Answer,
): Promise<SignInRecord | null> {
  const { bindings, clock } = binding.parts
  const { identifier, devices } = claimed
  const { ref } = identifier
  const record = await findRecord(binding, request, claimed)
  const bound = bindings.read(ref.mode, record)
  if (bound.kind !== 'device') throw new SignedOut()
  if (!verifyCompact(response, bound.key)) {
    devices.tellRefused(request, ref, 'other_key', clock())
    return null
  }
  await devices.settlement.renew(ref, record, bound)
  return record
}

/**
 * Proves a bound sign-in. It sets only the proof cookie, so a refresh under way cannot undo a sign-out.
 * @throws DEVICE_PROOF_REQUIRED with a challenge, SIGNED_OUT, STORE_UNAVAILABLE
 */
export async function refreshProof(
  binding: DeviceBinding,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<object> {
  const { challenges, signIns, clock } = binding.parts
  const claimed = await readClaimed(binding, request)
  const { identifier, devices } = claimed
  const { ref, text } = identifier
  const answer = readAnswer(binding, request, claimed)
  const record = answer && (await verifyAnswer(binding, request, claimed, answer))
  if (!record) {
    devices.challengeWith(request, challenges.derive(ref, 'p', clock()), text)
    throw new DeviceProofRequired()
  }
  // Last, because the sign-in may have ended during the lookups.
  if (!(await isLiveNow(signIns, refOfRecord(record)))) throw new SignedOut()
  return devices.prove(request, reply, ref, text, answer.challenge)
}
