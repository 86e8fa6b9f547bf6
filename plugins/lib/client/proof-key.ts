/*
 * The key of a browser, in IndexedDB. Nobody can read the private key, not even a script of the page. All tabs share
 * the key. The declarations are local, because the suite is compiled without the types of browsers.
 */

type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

export interface ProofKey {
  readonly privateKey: CryptoKey
  /** The public key. */
  readonly jwk: object
}

interface Asked<T> {
  readonly result: T
  readonly error: unknown
  onsuccess: (() => void) | null
  onerror: (() => void) | null
}

interface Store {
  get(key: string): Asked<unknown>
  put(value: unknown, key: string): Asked<unknown>
}

interface Database {
  createObjectStore(name: string): unknown
  transaction(name: string, mode: 'readonly' | 'readwrite'): { objectStore(name: string): Store }
  close(): void
}

declare const indexedDB: {
  open(name: string): Asked<Database> & { onupgradeneeded: (() => void) | null }
}

const NAME = 'fastify-identity'
const STORE = 'keys'

const answerOf = <T>(asked: Asked<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result)
    asked.onerror = () => reject(asked.error)
  })

async function makeKey(): Promise<ProofKey> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const { privateKey, publicKey } = await crypto.subtle.generateKey(algorithm, false, ['sign'])
  const { crv, kty, x, y } = await crypto.subtle.exportKey('jwk', publicKey)
  return { privateKey, jwk: { crv, kty, x, y } }
}

async function openDatabase(): Promise<Database> {
  const asked = indexedDB.open(NAME)
  asked.onupgradeneeded = () => asked.result.createObjectStore(STORE)
  return answerOf(asked)
}

const isKey = (value: unknown): value is ProofKey =>
  typeof value === 'object' && value !== null && 'privateKey' in value && 'jwk' in value

/** Two tabs may make a key at the same moment. Both then use the one that was stored first. */
async function keepFirst(database: Database, name: string, made: ProofKey): Promise<ProofKey> {
  const store = database.transaction(STORE, 'readwrite').objectStore(STORE)
  const stored = await answerOf(store.get(name))
  if (isKey(stored)) return stored
  await answerOf(store.put(made, name))
  return made
}

/**
 * The key for a server. Outside of a browser, a new one that lasts as long as its client.
 * @throws DOMException if the browser stores nothing: another tab would have another key
 */
export async function keyOf(name: string): Promise<ProofKey> {
  if (typeof indexedDB === 'undefined') return makeKey()
  const database = await openDatabase()
  try {
    const stored = await answerOf(database.transaction(STORE, 'readonly').objectStore(STORE).get(name))
    return isKey(stored) ? stored : await keepFirst(database, name, await makeKey())
  } finally {
    database.close()
  }
}
