-- Keep a result of some content, or find it.
-- KEYS: 1 op  2 results of the content  3 history  4 epoch
-- ARGV: 1 scope  2 the event as JSON  3 seconds to keep op  4 pointer  5 the result as JSON
--       6 most results
local bad = foreign({'string', 'hash', 'stream', 'string'})
if bad then
  return bad
end
local before = replay(redis.call('GET', KEYS[1]), ARGV[1])
if before and before[1] ~= 'REPLAY' then
  return before
end
local known = redis.call('HGET', KEYS[2], ARGV[4])
if known then
  return {'EXISTS', known}
end
if redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[6]) then
  return {'FULL'}
end
local event = cjson.decode(ARGV[2])
event.epoch = whole(epoch_of(redis.call('GET', KEYS[4])))
event.at_ms = now_ms()
local text = event.at_ms .. '|' .. ARGV[5]

redis.call('HSET', KEYS[2], ARGV[4], text)
redis.call('SET', KEYS[1], cjson.encode({scope = ARGV[1], event = event}), 'EX', ARGV[3])
append(KEYS[3], event)
return {'CREATED', text}
