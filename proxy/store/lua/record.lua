-- Write a pin that was set by hand into the history, if its label still holds it.
-- KEYS: 1 op  2 epoch  3 pinned  4 pin  5 versions  6 meta  7 held  8 history  9 gate
--       10 unratified
-- ARGV: 1 scope  2 model  3 the version's number  4 the event as JSON  5 kinds of pins as JSON
--       6 how many events are looked through  7 seconds to keep op  8 channel
local kinds = {'string', 'string', 'set', 'string', 'hash', 'hash', 'set', 'stream', 'string', 'hash'}
local bad = foreign(kinds)
if bad then
  return bad
end
local before = replay(redis.call('GET', KEYS[1]), ARGV[1])
if before then
  return before
end
local model, number, event = ARGV[2], ARGV[3], cjson.decode(ARGV[4])
local epoch = tonumber(event.epoch)

local text = redis.call('GET', KEYS[4])
local now = text and read_pin(text, model) or {}
if now.epoch ~= epoch or now.id ~= event.version or now.digest ~= event.digest
  or now.operation ~= event.operation then
  return {'CONFLICT', 1, now.id or ''}
end
local meta = redis.call('HGET', KEYS[6], number)
local readable, known = pcall(cjson.decode, meta or '')
if not meta or not readable or type(known) ~= 'table' or known.id ~= event.version
  or known.digest ~= event.digest then
  return {'UNKNOWN', 1}
end
if redis.call('HEXISTS', KEYS[5], number) == 0 then
  return {'DAMAGED', 1}
end

local is_pin = {}
for _, kind in ipairs(cjson.decode(ARGV[5])) do
  is_pin[kind] = true
end
for _, entry in ipairs(redis.call('XREVRANGE', KEYS[8], '+', '-', 'COUNT', ARGV[6])) do
  local one, fields = {}, entry[2]
  for i = 1, #fields, 2 do
    one[fields[i]] = fields[i + 1]
  end
  if one.label == event.label and is_pin[one.kind] then
    if one.operation == event.operation and one.epoch == event.epoch
      and one.version == event.version then
      return {'FOUND', fields}
    end
    event.previous = event.previous or one.version
  end
end
event.at_ms = now_ms()
local result = cjson.encode({scope = ARGV[1], event = event})

if epoch_of(redis.call('GET', KEYS[2])) < epoch then
  redis.call('SET', KEYS[2], event.epoch)
end
redis.call('SADD', KEYS[3], model .. ':' .. event.label)
redis.call('SADD', KEYS[7], event.label .. ':' .. number)
if event.label == 'prod' and redis.call('EXISTS', KEYS[9]) == 1 then
  redis.call('HSET', KEYS[10], event.label .. ':' .. event.version, event.epoch)
end
redis.call('SET', KEYS[1], result, 'EX', ARGV[7])
append(KEYS[8], event)
redis.call('PUBLISH', ARGV[8], event.epoch)
return {'DONE', result}
