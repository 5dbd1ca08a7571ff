-- Keep a version under the model's next number, or find the one that has its digest.
-- KEYS: 1 op  2 seq  3 versions  4 meta  5 digests  6 short  7 history  8 models  9 epoch
-- ARGV: 1 scope  2 operation  3 model  4 digest  5 content  6 meta as JSON  7 seconds to keep op
local bad = foreign({'string', 'string', 'hash', 'hash', 'hash', 'hash', 'stream', 'set', 'string'})
if bad then
  return bad
end
local before = replay(redis.call('GET', KEYS[1]), ARGV[1])
if before then
  return before
end
local model, digest, content = ARGV[3], ARGV[4], ARGV[5]
local known = redis.call('HGET', KEYS[5], digest)
if known then
  local stored, meta = redis.call('HGET', KEYS[3], known), redis.call('HGET', KEYS[4], known)
  if not stored or not meta then
    return {'DAMAGED'}
  end
  if stored ~= content then
    return {'OTHER_BYTES'}
  end
  return {'EXISTS', known, meta}
end

-- The counter may be lost or set back: a number that has anything under it is never used again.
local number = math.floor(tonumber(redis.call('GET', KEYS[2]) or '0') or 0)
local name
repeat
  number = number + 1
  name = whole(number)
until redis.call('HEXISTS', KEYS[3], name) == 0 and redis.call('HEXISTS', KEYS[4], name) == 0

local digits = string.sub(digest, 8)
local length = 6
while length < #digits and redis.call('HEXISTS', KEYS[6], string.sub(digits, 1, length)) == 1 do
  length = length + 1
end
local short = string.sub(digits, 1, length)

local at_ms = now_ms()
local meta = cjson.decode(ARGV[6])
local by, message = meta.by, meta.message
meta.id = model .. '-v' .. name .. '-' .. short
meta.digest = digest
meta.at_ms = at_ms
meta.bytes = whole(#content)
local result = cjson.encode({scope = ARGV[1], number = name, info = meta})

redis.call('HSET', KEYS[3], name, content)
redis.call('HSET', KEYS[4], name, cjson.encode(meta))
redis.call('HSET', KEYS[6], short, name)
redis.call('HSET', KEYS[5], digest, name)
redis.call('SET', KEYS[2], name)
redis.call('SADD', KEYS[8], model)
redis.call('SET', KEYS[1], result, 'EX', ARGV[7])
append(KEYS[7], {
  kind = 'register',
  epoch = whole(epoch_of(redis.call('GET', KEYS[9]))),
  at_ms = at_ms,
  by = by,
  operation = ARGV[2],
  version = meta.id,
  digest = digest,
  reason = message,
})
return {'CREATED', result}
