-- Put a version that was lost back under its number, its id and its digest.
-- KEYS: 1 op  2 seq  3 versions  4 meta  5 digests  6 short  7 history  8 models  9 epoch
-- ARGV: 1 scope  2 model  3 number  4 digest  5 content  6 meta as JSON, with the id
--       7 the event as JSON  8 seconds to keep op
local bad = foreign({'string', 'string', 'hash', 'hash', 'hash', 'hash', 'stream', 'set', 'string'})
if bad then
  return bad
end
local before = replay(redis.call('GET', KEYS[1]), ARGV[1])
if before then
  return before
end
local model, number, digest, content = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local id = cjson.decode(ARGV[6]).id

local function decoded(text)
  return object_in(text) or {}
end

local stored, meta = redis.call('HGET', KEYS[3], number), redis.call('HGET', KEYS[4], number)
local known = meta and decoded(meta)
if known and (known.id ~= id or known.digest ~= digest) then
  return {'NUMBER'}
end
if stored and stored ~= content then
  if not known then
    return {'NUMBER'}
  end
  stored = nil -- damaged: the content given has the digest, which was checked before
end
local found = redis.call('HGET', KEYS[5], digest)
if found and found ~= number then
  return {'DIGEST'}
end
-- Of another version only the one or the other side of the index may be left. Looking for that takes
-- milliseconds for thousands of versions, so it is done only where something is amiss.
local amiss = redis.call('HLEN', KEYS[5]) ~= redis.call('HLEN', KEYS[4])
if amiss and not known then
  local index = redis.call('HGETALL', KEYS[5])
  for i = 1, #index, 2 do
    if index[i + 1] == number and index[i] ~= digest then
      return {'NUMBER'}
    end
  end
end
if amiss and not found then
  local metas = redis.call('HGETALL', KEYS[4])
  for i = 1, #metas, 2 do
    local text = metas[i + 1]
    if metas[i] ~= number and string.find(text, digest, 1, true)
      and decoded(text).digest == digest then
      return {'DIGEST'}
    end
  end
end
if stored and known and found and redis.call('SISMEMBER', KEYS[8], model) == 1 then
  return {'EXISTS', number, meta}
end

-- As text: the record has numbers, which Lua would write with an exponent.
local result = '{"scope":' .. cjson.encode(ARGV[1]) .. ',"number":' .. number
  .. ',"info":' .. (meta or ARGV[6]) .. '}'
local last = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
local event = cjson.decode(ARGV[7])
event.epoch = whole(epoch_of(redis.call('GET', KEYS[9])))
event.at_ms = now_ms()

redis.call('HSET', KEYS[3], number, content)
redis.call('HSETNX', KEYS[4], number, ARGV[6])
redis.call('HSETNX', KEYS[6], string.match(id, '%-(%x+)$'), number)
redis.call('HSET', KEYS[5], digest, number)
if last < tonumber(number) then
  redis.call('SET', KEYS[2], number)
end
redis.call('SADD', KEYS[8], model)
redis.call('SET', KEYS[1], result, 'EX', ARGV[8])
append(KEYS[7], event)
return {'CREATED', result}
