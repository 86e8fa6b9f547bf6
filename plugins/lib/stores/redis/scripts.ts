import { createHash } from 'node:crypto'
import type { Cluster, Redis } from 'ioredis'
import { withDeadline } from '../../deadline.js'
import { OptionInvalid } from '../../errors.js'
import type { AnyRedisClient } from '../backing.js'
import { CLOCK_MARGIN } from '../rules.js'

export type RedisClient = Redis | Cluster

const isOfIoredis = (client: AnyRedisClient): client is RedisClient => typeof client.evalsha === 'function'

/** The client by its own type. @throws OPTION_INVALID for a client of another package */
export function asRedisClient(client: AnyRedisClient): RedisClient {
  if (!isOfIoredis(client)) throw new OptionInvalid('redis', 'wants a client of ioredis')
  return client
}

/** The default prefix of all keys. */
export const PREFIX = 'fid:'

/**
 * Redis drops a key this long (ms) after its limit. The limits are stored and compared with the caller's `now`, so that no
 * key disappears early if two clocks differ.
 */
export const GARBAGE_MARGIN = 3_600_000

/** A script. Its keys are in one slot, so that it also runs on a cluster. The caller's time is an argument. */
export interface Script {
  readonly lua: string
  readonly sha: string
}

export function script(lua: string): Script {
  return Object.freeze({ lua, sha: createHash('sha1').update(lua).digest('hex') })
}

/** Runs a script by its digest, or by its text if the server does not have it. */
export async function runScript(
  client: RedisClient,
  { lua, sha }: Script,
  keys: string | readonly string[],
  ...args: (string | number)[]
): Promise<unknown> {
  const all = typeof keys === 'string' ? [keys] : keys
  try {
    return await client.evalsha(sha, all.length, ...all, ...args)
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
    return client.eval(lua, all.length, ...all, ...args)
  }
}

/** Rejects if Redis does not answer within `timeout` (ms), whatever the client's own settings are. */
export function inTime<T>(operation: Promise<T>, timeout: number): Promise<T> {
  return withDeadline(operation, timeout, () => {
    throw new Error(`Redis did not answer within ${timeout} ms`)
  })
}

/** For scripts: a sign-in's text (see codec.ts). The fields that they change are before the first line break. */
export const SIGN_IN = `
local function parse(text)
  if not text then return nil end
  local idle, seen, absolute, refresh, rest = string.match(text, '^(%w+),(%w+),(%w+),([^\\n]*)(\\n.*)$')
  if not idle then return nil end
  return { idle = idle, seen = seen, absolute = absolute, refresh = refresh, rest = rest }
end
local function time(text) return tonumber(text, 36) end
local function write(key, id, s)
  local text = s.idle .. ',' .. s.seen .. ',' .. s.absolute .. ',' .. s.refresh .. s.rest
  redis.call('HSET', key, id, text)
  return text
end
local function fixed(s)
  local isJson, all = pcall(cjson.decode, s.rest)
  if isJson and type(all) == 'table' and type(all[2]) == 'number' then return all end
end
local function passed(s, now) return now >= time(s.idle) or now >= time(s.absolute) end
`

/**
 * KEYS: an account's sign-ins. ARGV: id, text, now, ms to keep the key. Drops sign-ins that have been past their limits
 * for as long as clocks may differ. Returns how many are within their limits.
 */
export const ADD_SIGN_IN = script(`${SIGN_IN}
local all, now, others = redis.call('HGETALL', KEYS[1]), tonumber(ARGV[3]), 0
for i = 1, #all, 2 do
  local s = parse(all[i + 1])
  if not s or passed(s, now - ${CLOCK_MARGIN}) then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= ARGV[1] and not passed(s, now) then
    others = others + 1
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return others + 1
`)

/** KEYS: an account's sign-ins. ARGV: id, last seen, idle limit (both in base 36). Returns 1 if it exists. */
export const TOUCH_SIGN_IN = script(`${SIGN_IN}
local s = parse(redis.call('HGET', KEYS[1], ARGV[1]))
if not s then return 0 end
local seen, idle = ARGV[2], ARGV[3]
if time(idle) > time(s.absolute) then idle = s.absolute end
if time(seen) > time(s.seen) then s.seen = seen end
if time(idle) > time(s.idle) then s.idle = idle end
write(KEYS[1], ARGV[1], s)
return 1
`)

/**
 * KEYS: an account's sign-ins. ARGV: id, presented counter, now, grace (ms), next refresh state; and the terms, if any:
 * epoch, absolute limit, and the maximum bytes of claims. All fields that never change count as claims. Returns the
 * outcome and the sign-in's text.
 */
export const ROTATE_REFRESH = script(`${SIGN_IN}
local id, presented, now = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local text = redis.call('HGET', KEYS[1], id)
local s = parse(text)
if not s or s.refresh == '' or passed(s, now) then return { 'gone', '' } end
if ARGV[6] then
  local all = fixed(s)
  local isMet = all and all[2] >= tonumber(ARGV[6]) and time(s.absolute) >= tonumber(ARGV[7])
  if not isMet or #s.rest > tonumber(ARGV[8]) then return { 'unmet', text } end
end
local counter, rotated = string.match(s.refresh, '^(%w+),(%w+),')
counter, rotated = time(counter), time(rotated)
if presented >= counter then
  s.refresh = ARGV[5]
  return { 'rotated', write(KEYS[1], id, s) }
end
if presented == counter - 1 and now < rotated + tonumber(ARGV[4]) then return { 'repeated', text } end
return { 'reused', text }
`)

/** KEYS: an account's sign-ins. ARGV: id; the fields that never change, as they are now and as they are to be. */
export const RESEAL_SIGN_IN = script(`${SIGN_IN}
local s = parse(redis.call('HGET', KEYS[1], ARGV[1]))
if not s or s.rest ~= '\\n' .. ARGV[2] then return end
s.rest = '\\n' .. ARGV[3]
write(KEYS[1], ARGV[1], s)
`)

/**
 * KEYS: an account's sign-ins. ARGV: id, now, the binding as `encodeBinding` writes it, and the one to replace, if any.
 * Returns the sign-in's text as it is then, or nothing. Looks at the end of the fields only (see codec.ts): a binding is a
 * list, a seal is a text, and without a seal there are claims.
 */
export const SETTLE_BINDING = script(`${SIGN_IN}
local text = redis.call('HGET', KEYS[1], ARGV[1])
local s = parse(text)
if not s or passed(s, tonumber(ARGV[2])) then return false end
local last, replaced, fields = string.sub(s.rest, -2), ARGV[4], string.sub(s.rest, 1, -2)
if replaced then
  local before = string.sub(fields, 1, -#replaced - 1)
  if fields ~= before .. replaced or string.sub(before, -1) ~= ',' then return text end
  fields = before
elseif last == ']]' then
  return text
else
  fields = fields .. (last == '"]' and ',' or ',"",')
end
s.rest = fields .. ARGV[3] .. ']'
return write(KEYS[1], ARGV[1], s)
`)

/** KEYS: a session. ARGV: the version that it must have (base 36), the new text, ms to keep it. */
export const REPLACE_SESSION = script(`
local text = redis.call('GET', KEYS[1])
if not text then return 'gone' end
if string.match(text, '^(%w+),') ~= ARGV[1] then return 'conflict' end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 'replaced'
`)

/** KEYS: a session. ARGV: idle limit (base 36), ms to keep it. Returns 1 if it exists. */
export const TOUCH_SESSION = script(`
local text = redis.call('GET', KEYS[1])
if not text then return 0 end
local version, idle, absolute, rest = string.match(text, '^(%w+),(%w+),(%w+)(\\n.*)$')
local moved = ARGV[1]
if tonumber(moved, 36) > tonumber(absolute, 36) then moved = absolute end
if tonumber(moved, 36) > tonumber(idle, 36) then
  redis.call('SET', KEYS[1], version .. ',' .. moved .. ',' .. absolute .. rest, 'PX', ARGV[2])
end
return 1
`)
