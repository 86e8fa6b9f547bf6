import { CLOCK_MARGIN } from '../rules.js'
import { REVOKING } from './revocation-scripts.js'
import { SIGN_IN, script } from './scripts.js'

/*
 * Scripts that end sign-ins in one step, if one node has all keys. KEYS: list, feed, an account's sign-ins. ARGV[1]: the
 * prefix of sessions' keys, because only the record names the session.
 *
 * They revoke all sign-ins first, and remove the records last. If Redis aborts the script, no removed sign-in is still
 * accepted, and the steps find every remaining record. If a record cannot be read, they change nothing and return nil.
 */
const ENDING = `${SIGN_IN}${REVOKING}
local function read(text)
  local s = parse(text)
  local all = s and fixed(s)
  if not all then return nil end
  s.epoch, s.session = all[2], type(all[7]) == 'string' and all[7]
  return s
end
local function kept(s) return time(s.absolute) + ${CLOCK_MARGIN} end
local function refuse(id, latest) revoke('s:' .. id, string.format('%.0f', latest), '') end
local function destroy(s) if s.session then redis.call('DEL', ARGV[1] .. s.session) end end
local function forget(id) redis.call('HDEL', KEYS[3], id) end
`

/** ARGV: see above; id, latest time (ms) until which the end is kept. Returns the record's text, empty if there is none. */
export const END_SIGN_IN = script(`${ENDING}
local id, latest = ARGV[2], ARGV[3]
local text = redis.call('HGET', KEYS[3], id)
if not text then
  revoke('s:' .. id, latest, '')
  return ''
end
local s = read(text)
if not s then return false end
refuse(id, math.min(tonumber(latest), kept(s)))
destroy(s)
forget(id)
return text
`)

/**
 * ARGV: see above; the epoch below which sign-ins are ended, or nothing; the exempted sign-in, if any.
 * Returns the ids and texts of the ended ones, alternating.
 */
export const END_SIGN_INS = script(`${ENDING}
local below, except = tonumber(ARGV[2]), ARGV[3]
local all, ending, answer = redis.call('HGETALL', KEYS[3]), {}, {}
for i = 1, #all, 2 do
  local id, text = all[i], all[i + 1]
  local s = parse(text)
  if s and id ~= except then
    s = read(text)
    if not s then return false end
    if not below or s.epoch < below then ending[id] = s end
  end
end
for i = 1, #all, 2 do
  local id, s = all[i], ending[all[i]]
  if s then
    refuse(id, kept(s))
    answer[#answer + 1], answer[#answer + 2] = id, all[i + 1]
  end
end
for _, s in pairs(ending) do destroy(s) end
for id in pairs(ending) do forget(id) end
return answer
`)
