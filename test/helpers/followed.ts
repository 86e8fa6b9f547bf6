import type { Test } from 'tap'
import type { SignInRef } from '../../plugins/lib/contract.js'
import { StoreUnavailable } from '../../plugins/lib/errors.js'
import type { FeedChange, StateStore } from '../../plugins/lib/stores/contract.js'
import { closeRedis, firstAttempt, openRedis } from '../../plugins/lib/stores/redis/client.js'
import { FollowedStore, type FollowedStoreOptions } from '../../plugins/lib/stores/redis/followed-store.js'

/** What the condition says, or false where the store has just no answer. */
async function holds(condition: () => Promise<boolean> | boolean): Promise<boolean> {
  try {
    return await condition()
  } catch (error) {
    if (error instanceof StoreUnavailable) return false
    throw error
  }
}

/** What the store answers without asking anybody, or null when it has to ask. */
export function answerAtOnce(store: StateStore, ref: SignInRef): boolean | null {
  const live = store.isLive(ref)
  if (typeof live === 'boolean') return live
  live.catch(() => {})
  return null
}

/** Resolves when `condition` holds. Looked at often: what it waits for has no event of its own. */
export async function eventually(
  condition: () => Promise<boolean> | boolean,
  within = 60_000,
): Promise<void> {
  for (const deadline = Date.now() + within; !(await holds(condition)); ) {
    if (Date.now() > deadline) throw new Error(`It did not come to that: ${condition}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** A followed store over a connection of its own, and the changes that its feed has told of. */
export async function openFollowed(
  t: Pick<Test, 'teardown'>,
  url: string,
  options: FollowedStoreOptions = {},
) {
  const client = openRedis(url, { commandTimeout: options.commandTimeout ?? 1000 })
  await firstAttempt(client, 2000)
  const store = new FollowedStore(client, { ...options, onClose: () => closeRedis(client) })
  const changes: FeedChange[] = []
  store.feed.onChange((change) => changes.push(change))
  t.teardown(() => store.close())
  await store.feed.settle(3000)
  return { store, client, changes }
}

let probes = 0

/** Resolves when the memory of `to` has all that `from` has revoked so far: the feed keeps the order. */
export async function caughtUp(from: StateStore, to: StateStore): Promise<void> {
  const signInId = `probe-${++probes}`
  const generation = await from.generation()
  await from.endSignIn('nobody', signInId, 2 ** 52)
  await eventually(() => answerAtOnce(to, { accountId: 'nobody', signInId, epoch: 0, generation }) === false)
}

const REVOKES = ['endSignIn', 'endSignIns', 'raiseEpoch']
const ASKS = ['isLive', 'sweep']

/** Two stores, each of which hears of all that was revoked before it answers whether something was. */
export function patientTwins([one, two]: readonly [StateStore, StateStore]): [StateStore, StateStore] {
  const unheard = new Set<StateStore>()
  const patient = (store: StateStore, other: StateStore) =>
    new Proxy(store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return async (...args: unknown[]) => {
          if (ASKS.includes(String(name)) && unheard.delete(target)) await caughtUp(other, target)
          if (REVOKES.includes(String(name))) for (const each of [one, two]) unheard.add(each)
          return Reflect.apply(value, target, args)
        }
      },
    })
  return [patient(one, two), patient(two, one)]
}
