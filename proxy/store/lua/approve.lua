-- Keep a verdict about some content, if it is about the gate in force and a result that is there.
-- KEYS: 1 gate  2 results of the content  3 verdicts
-- ARGV: 1 key of the gate  2 suite  3 pointer  4 digest of the content  5 the verdict as JSON
local bad = foreign({'string', 'hash', 'hash'})
if bad then
  return bad
end
local gate = gate_in(redis.call('GET', KEYS[1]))
if not gate or gate.key ~= ARGV[1] or gate.gate.suite ~= ARGV[2] then
  return {'GATE'}
end
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 0 then
  return {'NO_RESULT'}
end
redis.call('HSET', KEYS[3], ARGV[4], now_ms() .. '|' .. ARGV[5])
return {'APPROVED'}
