import { script } from './scripts.js'

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
 *   h <heartbeat> g <marker> n <count> t <time> o <offset>   what the list's marker and count were at that time (ms, by
 *                                             Redis' clock), and how far its clock is ahead of the instance's
 * An instance of 0.1 writes heartbeats without the last two, and does not look at them.
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

/**
 * Redis' clock in ms, or nil where the user of an ACL may not ask. What is collected may not depend on the clock of one
 * instance alone.
 */
const TIME = `
local function time()
  local now = redis.pcall('TIME')
  if now.err then return nil end
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
local function whole(number) return string.format('%.0f', number) end
`

/**
 * Names the heartbeat that stands last in the feed. Adds one where something else stands there, or one that is not
 * young: so the whole fleet adds no more than one in \`interval\` ms, and one for each revocation.
 * KEYS: list, feed. ARGV: the name of a new one, the interval, and how far Redis' clock is ahead of the caller's, or
 * nothing. Returns the name, and Redis' time or nothing.
 *
 * It writes each time, so that a primary that was demoted, is cut off, or is full refuses it, as it would refuse a
 * revocation. That write changes nothing, and is not replicated: no such member is ever in the list.
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
 * KEYS: list, feed. ARGV: the score of a new marker. Returns marker, count, and the feed's last entry, its id and its
 * fields: what is in the list now, with what comes after that entry, is everything.
 */
export const LOAD = script(`${COUNT}
redis.call('ZADD', KEYS[1], 'NX', ARGV[1], 'g')
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
return { redis.call('ZSCORE', KEYS[1], 'g'), count(KEYS[1]), last and last[1] or '0-0', last and last[2] or {} }
`)

/**
 * Drops what has passed by the caller's clock and by Redis' own, both less the margin: neither alone can forget what is
 * still to be refused. KEYS: list. ARGV: the caller's time, how many at most, the margin (ms), and what to take for Redis'
 * time, or nothing. Returns how many were dropped, and up to which time.
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
