import { createHash, randomUUID, sign } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { TokenPair } from '../../plugins/token-auth.js'
import { type Algorithm, keyPair } from './signing-key.js'

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Fields of a proof. An undefined one is left out. A text stands for the whole JSON of its part. */
export type Fields = Readonly<Record<string, unknown>>

export const hashOf = (token: string) => createHash('sha256').update(token).digest('base64url')

/** A client's key, which makes proofs. `iat` is 0 in all of them: the nonce is the time. */
export function proofKey(algorithm: Algorithm = 'ES256') {
  const { privateKey, publicKey } = keyPair(algorithm)
  const jwk = publicKey.export({ format: 'jwk' })
  const signed = (header: unknown, payload: unknown) => {
    const text = `${encode(header)}.${encode(payload)}`
    const hash = algorithm === 'EdDSA' ? null : 'sha256'
    const signature = sign(hash, Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' })
    return `${text}.${signature.toString('base64url')}`
  }
  const headerOf = (changes: Fields = {}) => ({ typ: 'dpop+jwt', alg: algorithm, jwk, ...changes })
  const payloadOf = (changes: Fields = {}) => ({
    jti: randomUUID(),
    htm: 'GET',
    htu: 'https://example.com/me',
    iat: 0,
    ...changes,
  })
  return {
    algorithm,
    privateKey,
    publicKey,
    jwk,
    headerOf,
    payloadOf,
    signed,
    /** A proof, good except for the changes. */
    prove: (payload?: Fields, header?: Fields) => signed(headerOf(header), payloadOf(payload)),
  }
}

export type ProofKey = ReturnType<typeof proofKey>

/** Never signed in: its login only asks for a nonce. */
const NOBODY = { id: 'nobody', username: 'nobody', role: 'user' }

type Injected = Awaited<ReturnType<FastifyInstance['inject']>>

/** The small application of the token mode. */
const SMALL = { origin: 'https://example.com', login: '/login', body: { account: NOBODY } as object }
/** The user center in development. */
export const CENTER: typeof SMALL = {
  origin: 'http://localhost:3000',
  login: '/login_token',
  body: { username: 'nobody', password: 'nothing' },
}

/** What a client with a key sends to an application. */
export function boundClient(app: FastifyInstance, key = proofKey(), { origin, login, body } = SMALL) {
  const htuOf = (url: string) => `${origin}${url.split('?')[0]}`
  const client = {
    key,
    /** A nonce that the server gives. */
    async nonce(): Promise<string> {
      const headers = { dpop: key.prove({ htm: 'POST', htu: htuOf(login) }) }
      const { headers: given } = await app.inject({ method: 'POST', url: login, payload: body, headers })
      return String(given['dpop-nonce'])
    },
    /** Sends a request with a proof that is good except for the changes, and with a token if there is one. */
    async send(
      method: 'GET' | 'POST',
      url: string,
      options: { token?: string; payload?: object; proof?: Fields; header?: Fields; headers?: object } = {},
    ): Promise<Injected> {
      const { token, payload, proof, header } = options
      const ath = token === undefined ? undefined : hashOf(token)
      const claims = { htm: method, htu: htuOf(url), ath, nonce: await client.nonce(), ...proof }
      const headers = {
        dpop: key.prove(claims, header),
        ...(token !== undefined && { authorization: `DPoP ${token}` }),
        ...options.headers,
      }
      return app.inject({ method, url, headers, ...(payload && { payload }) })
    },
    async login(account: object): Promise<TokenPair> {
      return (await client.send('POST', '/login', { payload: { account } })).json()
    },
    me: (token: string, proof: Fields = {}) => client.send('GET', '/me', { token, proof }),
    refresh: (token: string, proof: Fields = {}) =>
      client.send('POST', '/refresh', { payload: { token }, proof }),
  }
  return client
}
