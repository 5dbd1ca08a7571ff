-- Stop forward pins of a model, or let them again; doing it twice is recorded twice.
-- KEYS: 1 op  2 frozen  3 history  4 epoch
-- ARGV: 1 scope  2 '1' or '0'  3 the event as JSON  4 seconds to keep op
local bad = foreign({'string', 'string', 'stream', 'string'})
if bad then
  return bad
end
local before = replay(redis.call('GET', KEYS[1]), ARGV[1])
if before then
  return before
end
local event = cjson.decode(ARGV[3])
event.epoch = whole(epoch_of(redis.call('GET', KEYS[4])))
event.at_ms = now_ms()
local result = cjson.encode({scope = ARGV[1], event = event})

redis.call('SET', KEYS[1], result, 'EX', ARGV[4])
if ARGV[2] == '1' then
  redis.call('SET', KEYS[2], event.reason or '')
else
  redis.call('DEL', KEYS[2])
end
append(KEYS[3], event)
return {'DONE', result}
