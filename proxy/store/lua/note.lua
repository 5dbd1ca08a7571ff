-- Write or remove one value about a model, and note it in the history; twice is noted twice.
-- KEYS: 1 op  2 value  3 history  4 epoch
-- ARGV: 1 scope  2 the event as JSON  3 seconds to keep op
--       4 how: 'set', 'del', 'hset' or 'hdel' (of what must be there)  5 field  6 text
--       7 'timed': the text comes after the time
local kinds = {set = 'string', del = 'string', hset = 'hash', hdel = 'hash'}
local how, field, value = ARGV[4], ARGV[5], ARGV[6]
local bad = foreign({'string', kinds[how], 'stream', 'string'})
if bad then
  return bad
end
local before = replay(redis.call('GET', KEYS[1]), ARGV[1])
if before then
  return before
end
if how == 'hdel' and redis.call('HEXISTS', KEYS[2], field) == 0 then
  return {'NOTHING'}
end
local event = cjson.decode(ARGV[2])
event.epoch = whole(epoch_of(redis.call('GET', KEYS[4])))
event.at_ms = now_ms()
if ARGV[7] == 'timed' then
  value = event.at_ms .. '|' .. value
end
local result = cjson.encode({scope = ARGV[1], event = event})

redis.call('SET', KEYS[1], result, 'EX', ARGV[3])
if how == 'set' then
  redis.call('SET', KEYS[2], value)
elseif how == 'del' then
  redis.call('DEL', KEYS[2])
elseif how == 'hset' then
  redis.call('HSET', KEYS[2], field, value)
else
  redis.call('HDEL', KEYS[2], field)
end
append(KEYS[3], event)
return {'DONE', result}
