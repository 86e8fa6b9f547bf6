import { script } from './scripts.js'

/*
 * The revocation list. One sorted set, so that the list and its marker can only be lost together:
 *   g                        the marker: minus the generation
 *   n                        minus the number of revocations written so far
 *   s:<sign-in>              an ended sign-in: the time (ms) until which it is kept
 *   e:<account>              a raised epoch: minus the epoch
 *   p:<length>:<account>:<sign-in>  a sign-in that was spared: minus the epoch that spared it
 *   t:<member>               the time (ms) until which an e: or p: member is kept
 * Only times are positive, so the expired entries are a range of scores.
 *
 * Beside it, in the same slot, its feed: a stream with an entry for each revocation, and for each heartbeat.
 *   m <member> s <score> k <keep> n <count>   a revocation, and the list's count after it
 *   m c:<sign-in> s <until> k '' n <count>    a shortened end: it is kept until then at most
 *   h <heartbeat> g <marker> n <count> t <time> o <offset>   the list's marker and count at that time (ms, by Redis'
 *                                             clock), and how far Redis' clock is ahead of the instance's
 * An instance of 0.1 writes heartbeats without the last two, and ignores them.
 * The counts show a reader whether entries are missing.
 */

/** The approximate number of entries that the feed keeps. A reader that missed more reads the whole list. */
const FEED_LENGTH = 65_536

const COUNT = `local function count(list) return redis.call('ZSCORE', list, 'n') or '0' end`

/** KEYS: list. ARGV: the score of a new marker, in case the list has none. Returns the score of the list's marker. */
export const GENERATION = script(`
redis.call('ZADD', KEYS[1], 'NX', ARGV[1], 'g')
return redis.call('ZSCORE', KEYS[1], 'g')
`)

/**
 * For scripts whose first keys are list and feed: writes a revocation, and for epochs (negative scores) the time until
 * which it is kept. The later time and the higher epoch win.
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

/** Writes revocations. KEYS: list, feed. ARGV: for each, its member, its score, and its time (ms) or nothing. */
export const REVOKE = script(`${REVOKING}
for i = 1, #ARGV, 3 do revoke(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
`)

/**
 * Shortens the revocation of an ended sign-in. KEYS: list, feed. ARGV: its member, the earlier time, its name in the feed.
 * Changes nothing if the list keeps it until an earlier time, or does not have it.
 */
export const SHORTEN = script(`
if redis.call('ZADD', KEYS[1], 'XX', 'LT', 'CH', ARGV[2], ARGV[1]) == 0 then return end
local n = redis.call('ZINCRBY', KEYS[1], -1, 'n')
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${FEED_LENGTH}, '*', 'm', ARGV[3], 's', ARGV[2], 'k', '', 'n', n)
`)

/** Redis' clock in ms, or nil if an ACL forbids TIME. Sweeps must not depend on the clock of one instance alone. */
const TIME = `
local function time()
  local now = redis.pcall('TIME')
  if now.err then return nil end
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
local function whole(number) return string.format('%.0f', number) end
`

/**
 * Names the last heartbeat in the feed. Adds one if the last entry is not a heartbeat, or is older than the interval.
 * So the whole fleet adds at most one in each interval, and one for each revocation.
 * KEYS: list, feed. ARGV: the name of a new one, the interval (ms), and how far Redis' clock is ahead of the caller's, or
 * nothing. Returns the name, and Redis' time or nothing.
 *
 * Always writes. A primary that was demoted, is cut off, or has no memory left therefore refuses it, as it would refuse
 * a revocation. The write changes nothing, and is not replicated: the list never has this member.
 */
export const BEAT = script(`${COUNT}${TIME}
redis.call('ZADD', KEYS[1], 'XX', 0, 'b')
local now = time()
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if now and last and last[2][1] == 'h' then
  local f = last[2]
  local age = now - (f[7] == 't' and f[8] or string.match(last[1], '^%d+'))
  if age >= 0 and age < tonumber(ARGV[2]) then return { f[2], whole(now) } end
end
local marker = redis.call('ZSCORE', KEYS[1], 'g') or ''
local at = now and whole(now) or ''
redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${FEED_LENGTH}, '*', 'h', ARGV[1], 'g', marker, 'n', count(KEYS[1]),
  't', at, 'o', ARGV[3])
return { ARGV[1], at }
`)

/**
 * KEYS: list, feed. ARGV: the score of a new marker. Returns marker, count, and the id and fields of the feed's last
 * entry. A reader that takes the list from now on, and all later entries of the feed, misses nothing.
 */
export const LOAD = script(`${COUNT}
redis.call('ZADD', KEYS[1], 'NX', ARGV[1], 'g')
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
return { redis.call('ZSCORE', KEYS[1], 'g'), count(KEYS[1]), last and last[1] or '0-0', last and last[2] or {} }
`)

/**
 * Drops entries that expired more than the margin ago, by both the caller's clock and Redis' clock. So one wrong clock
 * drops nothing too early. KEYS: list. ARGV: the caller's time, how many at most, the margin (ms), and a replacement of
 * Redis' time or nothing. Returns how many were dropped, and up to which time.
 */
export const SWEEP = script(`${TIME}
local now = tonumber(ARGV[1])
local reference = tonumber(ARGV[4]) or time() or now
local upTo = whole(math.min(now, reference) - ARGV[3])
local passed = redis.call('ZRANGEBYSCORE', KEYS[1], '(0', upTo, 'LIMIT', 0, ARGV[2])
for _, member in ipairs(passed) do
  redis.call('ZREM', KEYS[1], member)
  if string.sub(member, 1, 2) == 't:' then redis.call('ZREM', KEYS[1], string.sub(member, 3)) end
end
return { #passed, upTo }
`)

/** KEYS: list. ARGV: a section. In a script, so that a cluster asks the node that has the list. */
export const INFO = script(`return redis.call('INFO', ARGV[1])`)
