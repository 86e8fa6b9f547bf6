import { script } from './redis-scripts.js'

/*
 * The revocation list. One sorted set, for a list and its marker must be lost together:
 *   g                        the marker: minus the generation
 *   n                        minus how many revocations were ever written
 *   s:<sign-in>              an ended sign-in: the time (ms) until which it is kept
 *   e:<account>              a raised epoch: minus the epoch
 *   p:<length>:<account>:<sign-in>  a sign-in that was spared: minus the epoch that spared it
 *   t:<member>               the time (ms) until which an e: or p: member is kept
 * Only times are positive, so what has passed is a range of scores, and the rest is never in it.
 *
 * Beside it, in the same slot, its feed: a stream with an entry for each revocation, and for each heartbeat.
 *   m <member> s <score> k <keep> n <count>   a revocation, and the list's count after it
 *   m c:<sign-in> s <until> k '' n <count>    the same of what is no longer than until then to be kept
 *   h <heartbeat> g <marker> n <count>        what the list's marker and count were at that time
 * The counts let a reader see that nothing is missing, whatever happened to the stream.
 */

/** How many entries of the feed are kept, about: a reader that missed more reads the whole list instead. */
export const FEED_LENGTH = 65_536

const COUNT = `local function count(list) return redis.call('ZSCORE', list, 'n') or '0' end`

/** KEYS: list. ARGV: the score of a new marker. Returns that of the list's, which is the new one if it had none. */
export const GENERATION = script(`
redis.call('ZADD', KEYS[1], 'NX', ARGV[1], 'g')
return redis.call('ZSCORE', KEYS[1], 'g')
`)

/**
 * For scripts whose first keys are list and feed: writes one revocation, and for epochs (negative scores) the time until
 * which it is kept. The strictest wins: the later time, the higher epoch.
 */
export const REVOKING = `
local function revoke(member, score, keep)
  if keep == '' then
    redis.call('ZADD', KEYS[1], 'GT', score, member)
  else
    redis.call('ZADD', KEYS[1], 'LT', score, member)
    redis.call('ZADD', KEYS[1], 'GT', keep, 't:' .. member)
  end
  local n = redis.call('ZINCRBY', KEYS[1], -1, 'n')
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${FEED_LENGTH}, '*', 'm', member, 's', score, 'k', keep, 'n', n)
end
`

/** Writes revocations. KEYS: list, feed. ARGV: for each, its member, its score, and until when it is kept, or nothing. */
export const REVOKE = script(`${REVOKING}
for i = 1, #ARGV, 3 do revoke(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
`)

/**
 * Has a revocation of an ended sign-in kept for less long. KEYS: list, feed. ARGV: its member, the earlier time, and what
 * the feed calls that. Changes nothing where the list has it until an earlier time, or not at all.
 */
export const SHORTEN = script(`
if redis.call('ZADD', KEYS[1], 'XX', 'LT', 'CH', ARGV[2], ARGV[1]) == 0 then return end
local n = redis.call('ZINCRBY', KEYS[1], -1, 'n')
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${FEED_LENGTH}, '*', 'm', ARGV[3], 's', ARGV[2], 'k', '', 'n', n)
`)

/** KEYS: list, feed. ARGV: what to recognise it by. A write, so that a primary that was demoted refuses it. */
export const BEAT = script(`${COUNT}
local marker = redis.call('ZSCORE', KEYS[1], 'g') or ''
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${FEED_LENGTH}, '*', 'h', ARGV[1], 'g', marker, 'n', count(KEYS[1]))
`)

/**
 * KEYS: list, feed. ARGV: the score of a new marker. Returns marker, count, and the id of the feed's last entry:
 * what is in the list now, with what comes after that entry, is everything.
 */
export const LOAD = script(`${COUNT}
redis.call('ZADD', KEYS[1], 'NX', ARGV[1], 'g')
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
return { redis.call('ZSCORE', KEYS[1], 'g'), count(KEYS[1]), last and last[1] or '0-0' }
`)

/** KEYS: list. ARGV: now, how many at most. Returns how many were dropped. */
export const SWEEP = script(`
local passed = redis.call('ZRANGEBYSCORE', KEYS[1], '(0', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, member in ipairs(passed) do
  redis.call('ZREM', KEYS[1], member)
  if string.sub(member, 1, 2) == 't:' then redis.call('ZREM', KEYS[1], string.sub(member, 3)) end
end
return #passed
`)

/** KEYS: list. ARGV: a section. In a script, so that a cluster asks the node that has the list. */
export const INFO = script(`return redis.call('INFO', ARGV[1])`)
