-- Put a question to the fleet, in the place of one that has its id.
-- KEYS: 1 questions
-- ARGV: 1 id  2 kind  3 body as JSON  4 milliseconds to keep it  5 most questions
--       6 most bytes of all  7 channel
local bad = foreign({'string'})
if bad then
  return bad
end
local now, kept_ms = tonumber(now_ms()), tonumber(ARGV[4])
local most, most_bytes = tonumber(ARGV[5]), tonumber(ARGV[6])

local function is_question(one)
  return type(one) == 'table' and type(one.id) == 'string' and type(one.kind) == 'string'
    and type(one.body) == 'string' and tonumber(one.at_ms) ~= nil
end

local text = redis.call('GET', KEYS[1]) or ''
local readable, before = pcall(cjson.decode, #text <= most_bytes and text or '')
local asked = {}
for _, one in ipairs(readable and type(before) == 'table' and before or {}) do
  -- From far ahead: a server that was the primary before had another clock.
  if is_question(one) and one.id ~= ARGV[1] and math.abs(tonumber(one.at_ms) - now) <= kept_ms then
    asked[#asked + 1] = {id = one.id, kind = one.kind, body = one.body, at_ms = one.at_ms}
  end
end
asked[#asked + 1] = {id = ARGV[1], kind = ARGV[2], body = ARGV[3], at_ms = whole(now)}
while #asked > most do
  table.remove(asked, 1)
end
text = cjson.encode(asked)
while #asked > 1 and #text > most_bytes do
  table.remove(asked, 1)
  text = cjson.encode(asked)
end

redis.call('SET', KEYS[1], text, 'PX', ARGV[4])
redis.call('PUBLISH', ARGV[7], 'question')
return {'ASKED'}
