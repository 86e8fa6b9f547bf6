import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

type Cbor = number | string | Uint8Array | readonly Cbor[] | ReadonlyMap<number | string, Cbor>

function head(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value])
  if (value < 256) return Buffer.from([(major << 5) | 24, value])
  const long = Buffer.from([(major << 5) | 25, 0, 0])
  long.writeUInt16BE(value, 1)
  return long
}

/** As an authenticator writes it (CTAP2 canonical CBOR), for what it writes. */
function cbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -value - 1) : head(0, value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (value instanceof Map) {
    const entries = [...value].flatMap(([name, item]: [number | string, Cbor]) => [cbor(name), cbor(item)])
    return Buffer.concat([head(5, value.size), ...entries])
  }
  const items = value as readonly Cbor[]
  return Buffer.concat([head(4, items.length), ...items.map(cbor)])
}

const FLAGS = { present: 0x01, verified: 0x04, attested: 0x40 }
const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest()
const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')

/** A passkey: its private key, and what the authenticator keeps beside it. */
export interface SoftKey {
  readonly id: string
  readonly privateKey: KeyObject
  readonly cose: Buffer
  readonly rpId: string
  readonly userHandle: string
  counter: number
}

/** Each field replaces the value that an honest browser or authenticator would send. */
export interface Lies {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly type?: string
  readonly crossOrigin?: boolean
  readonly isVerified?: boolean
  readonly isPresent?: boolean
  readonly counter?: number
  readonly userHandle?: string | null
  readonly id?: string
  /** Signs with another key. */
  readonly signedBy?: KeyObject
  readonly fmt?: string
  readonly attStmt?: Cbor
}

interface CreationOptions {
  readonly challenge: string
  readonly rp: { readonly id: string }
  readonly user: { readonly id: string }
}

interface RequestOptions {
  readonly challenge: string
  readonly rpId: string
  readonly allowCredentials?: readonly { readonly id: string }[]
}

/** A browser on a page of `origin`, with an authenticator made of software: ES256, no attestation. */
export class SoftAuthenticator {
  readonly keys: SoftKey[] = []

  /** @param step by how much each use raises the counter; 0: it has none */
  constructor(
    readonly origin: string,
    private readonly step = 1,
  ) {}

  /** `navigator.credentials.create`, as JSON. */
  create(given: object, lies: Lies = {}) {
    return this.createAs(given, this.#make(given as CreationOptions), lies)
  }

  /** The same, for a passkey that exists. */
  createAs(given: object, key: SoftKey, lies: Lies = {}) {
    const options = given as CreationOptions
    const credentialId = Buffer.from(key.id, 'base64url')
    const length = Buffer.from([credentialId.length >> 8, credentialId.length & 255])
    const attested = Buffer.concat([Buffer.alloc(16), length, credentialId, key.cose])
    const authData = Buffer.concat([this.#authData(key, lies, FLAGS.attested), attested])
    const attestation = new Map<string, Cbor>([
      ['fmt', lies.fmt ?? 'none'],
      ['attStmt', lies.attStmt ?? new Map()],
      ['authData', authData],
    ])
    return {
      ...{ id: key.id, rawId: key.id, type: 'public-key', clientExtensionResults: {} },
      authenticatorAttachment: 'platform',
      response: {
        clientDataJSON: base64url(this.#clientData('webauthn.create', options.challenge, lies)),
        attestationObject: base64url(cbor(attestation)),
        transports: ['internal', 'hybrid'],
      },
    }
  }

  /** `navigator.credentials.get`, as JSON. Answers with the first passkey that it may use. */
  get(given: object, lies: Lies = {}) {
    const options = given as RequestOptions
    const allowed = options.allowCredentials?.map(({ id }) => id)
    const key = this.keys.find(({ id, rpId }) => rpId === options.rpId && (allowed?.includes(id) ?? true))
    if (!key) throw new Error('no passkey for this')
    key.counter += this.step
    const authData = this.#authData(key, lies)
    const clientData = this.#clientData('webauthn.get', options.challenge, lies)
    const signed = Buffer.concat([authData, sha256(clientData)])
    const id = lies.id ?? key.id
    return {
      ...{ id, rawId: id, type: 'public-key', clientExtensionResults: {} },
      response: {
        clientDataJSON: base64url(clientData),
        authenticatorData: base64url(authData),
        signature: base64url(sign('sha256', signed, lies.signedBy ?? key.privateKey)),
        userHandle: lies.userHandle === undefined ? key.userHandle : lies.userHandle,
      },
    }
  }

  #make({ rp, user }: CreationOptions): SoftKey {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
    const cose = cbor(
      new Map<number, Cbor>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, Buffer.from(x, 'base64url')],
        [-3, Buffer.from(y, 'base64url')],
      ]),
    )
    const id = base64url(randomBytes(32))
    const key: SoftKey = { id, privateKey, cose, rpId: rp.id, userHandle: user.id, counter: 0 }
    this.keys.push(key)
    return key
  }

  #authData(key: SoftKey, lies: Lies, more = 0): Buffer {
    const present = lies.isPresent === false ? 0 : FLAGS.present
    const verified = lies.isVerified === false ? 0 : FLAGS.verified
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(lies.counter ?? key.counter)
    return Buffer.concat([sha256(lies.rpId ?? key.rpId), Buffer.from([present | verified | more]), counter])
  }

  #clientData(type: string, challenge: string, lies: Lies): Buffer {
    const { origin = this.origin, crossOrigin = false } = lies
    const content = { type: lies.type ?? type, challenge: lies.challenge ?? challenge, origin, crossOrigin }
    return Buffer.from(JSON.stringify(content))
  }
}
