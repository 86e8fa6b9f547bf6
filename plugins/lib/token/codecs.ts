import type { FastifyJWTOptions, JWT } from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import type { PurposeKey, PurposeKeys } from '../credentials/keys.js'

/** What an access token may be signed with. Each key has one algorithm and no other. */
export type TokenAlgorithm = 'HS256' | 'EdDSA' | 'ES256' | 'RS256'

/** A key for access tokens. One without a private half verifies only. */
export interface TokenKey {
  readonly id: string
  readonly algorithm: TokenAlgorithm
  /** The bytes of a shared secret, or PEMs. */
  readonly secret: Buffer | { readonly public: Buffer; readonly private?: Buffer }
}

/** The first signs, all verify. */
export type TokenKeys = readonly [TokenKey, ...TokenKey[]]

/** What signs and verifies with one key. */
export interface TokenCodec {
  /** The only header that tokens under this key have: the first part of the token, as text. */
  readonly header: string
  sign(payload: object): string
  /** The payload of a token with a genuine signature. Throws otherwise. */
  verify(token: string): unknown
}

/** All keys for access tokens: the first signs, each verifies the tokens that name it. */
export interface TokenCodecs {
  readonly signing: TokenCodec
  /** By the token's first part. Another algorithm, type, key id or parameter finds nothing. */
  find(header: string): TokenCodec | undefined
}

/** RFC 9068 §2.1: so that no other kind of JWT can pass for an access token. */
const TYPE = 'at+jwt'

/** The ring's keys, for HS256. */
export function sharedTokenKeys({ signing, all }: PurposeKeys): TokenKeys {
  const others = all.filter(({ id }) => id !== signing.id)
  return [sharedTokenKey(signing), ...others.map(sharedTokenKey)]
}

/** @fastify/jwt takes bytes, and keeps a KeyObject made of them. */
function sharedTokenKey({ id, key }: PurposeKey): TokenKey {
  return { id, algorithm: 'HS256', secret: key.export() }
}

function headerOf({ id, algorithm }: Pick<TokenKey, 'id' | 'algorithm'>) {
  return { alg: algorithm, typ: TYPE, kid: id }
}

/**
 * Times are ours to check, against the injected clock: the library's is fixed when the verifier is built.
 * No cache: it would hand one mutable payload to everyone.
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
 * One scope of its own for each key, so that signer and verifier are built once, and an application's own
 * @fastify/jwt, registered before or after, sees nothing of them.
 */
async function createCodec(app: FastifyInstance, key: TokenKey): Promise<TokenCodec> {
  // Loaded here: without the token mode nobody needs to wait for it.
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

/** Registers @fastify/jwt for each key, out of the application's sight. */
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
