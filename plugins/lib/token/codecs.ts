import type { FastifyJWTOptions, JWT } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import type { PurposeKey, PurposeKeys } from '../credentials/keys.js'

/** Each key has exactly one of these. */
export type TokenAlgorithm = 'HS256' | 'EdDSA' | 'ES256' | 'RS256'

/** A key for access tokens. Without a private half it only verifies. */
export interface TokenKey {
  readonly id: string
  readonly algorithm: TokenAlgorithm
  /** The bytes of a shared secret, or PEMs. */
  readonly secret: Buffer | { readonly public: Buffer; readonly private?: Buffer }
}

/** The first signs, all verify. */
export type TokenKeys = readonly [TokenKey, ...TokenKey[]]

/** Signs and verifies with one key. */
export interface TokenCodec {
  /** The first part of every token under this key. */
  readonly header: string
  sign(payload: object): string
  /** The payload of a token with a genuine signature. Throws otherwise. */
  verify(token: string): unknown
}

/** The first key signs; each key verifies the tokens that name it. */
export interface TokenCodecs {
  readonly signing: TokenCodec
  /** Finds by the token's first part, which is its algorithm, type, key id and every other parameter. */
  find(header: string): TokenCodec | undefined
}

/** RFC 9068 §2.1: no other kind of JWT passes for an access token. */
const TYPE = 'at+jwt'

/** The ring's keys, for HS256. */
export function sharedTokenKeys({ signing, all }: PurposeKeys): TokenKeys {
  const others = all.filter(({ id }) => id !== signing.id)
  return [sharedTokenKey(signing), ...others.map(sharedTokenKey)]
}

function sharedTokenKey({ id, key }: PurposeKey): TokenKey {
  return { id, algorithm: 'HS256', secret: key.export() }
}

function headerOf({ id, algorithm }: Pick<TokenKey, 'id' | 'algorithm'>) {
  return { alg: algorithm, typ: TYPE, kid: id }
}

/**
 * The suite checks times itself, because the library's clock is fixed when the verifier is built. No cache: that of the
 * library gives the same mutable payload to every request.
 */
function jwtOptions({ id, algorithm, secret }: TokenKey): FastifyJWTOptions {
  return {
    secret,
    sign: { algorithm, header: headerOf({ id, algorithm }) },
    verify: {
      algorithms: [algorithm],
      checkTyp: TYPE,
      ignoreExpiration: true,
      ignoreNotBefore: true,
      cache: false,
    },
    // The application's own @fastify/jwt may have taken the default, `user`, which scopes inherit.
    decoratorName: 'fastifyIdentityToken',
  }
}

/**
 * Registers @fastify/jwt in a scope for each key: signer and verifier are built once, and the application's own @fastify/jwt
 * is not affected.
 */
async function createCodec(app: FastifyInstance, key: TokenKey): Promise<TokenCodec> {
  // Loaded only with the token mode.
  const { default: fastifyJwt } = await import('@fastify/jwt')
  const { promise, resolve } = deferred<JWT>()
  await app.register(async function tokenKey(scope) {
    await scope.register(fastifyJwt, jwtOptions(key))
    resolve(scope.jwt)
  })
  const jwt = await promise
  return Object.freeze({
    header: Buffer.from(JSON.stringify(headerOf(key))).toString('base64url'),
    sign: (payload: object) => jwt.sign(payload),
    verify: (token: string): unknown => jwt.verify(token),
  })
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

export async function createTokenCodecs(
  app: FastifyInstance,
  [first, ...others]: TokenKeys,
): Promise<TokenCodecs> {
  const signing = await createCodec(app, first)
  const byHeader = new Map([[signing.header, signing]])
  for (const key of others) {
    const codec = await createCodec(app, key)
    byHeader.set(codec.header, codec)
  }
  return Object.freeze({ signing, find: (header: string) => byHeader.get(header) })
}
