-- Carry out all changes of an order or none. The rules are those of proxy/store/rules.py.
-- KEYS: 1 op  2 epoch  3 pinned, then nine for each model: versions meta held revoked frozen
--       history gate verdicts unratified, then the pin of each change, then former
-- ARGV: 1 the order as JSON  2 seconds to keep op  3 channel  4 most former  5 seconds to keep them
-- The order: scope operation by reason known floor models changes; a change: of (which model)
-- model label id number digest kind expect ('' is nothing) revoke restore force
local order = cjson.decode(ARGV[1])
local kinds = {'string', 'string', 'set'}
local of_model =
  {'hash', 'hash', 'set', 'hash', 'string', 'stream', 'string', 'hash', 'hash'}
for _ = 1, order.models do
  for _, kind in ipairs(of_model) do
    kinds[#kinds + 1] = kind
  end
end
for _ in ipairs(order.changes) do
  kinds[#kinds + 1] = 'string'
end
kinds[#kinds + 1] = 'string'
local bad = foreign(kinds)
if bad then
  return bad
end
local before = replay(redis.call('GET', KEYS[1]), order.scope)
if before then
  return before
end

local function key_of(change, offset)
  return KEYS[3 + #of_model * (change.of - 1) + offset]
end

local epoch = math.max(epoch_of(redis.call('GET', KEYS[2])), epoch_of(order.known))
for i, change in ipairs(order.changes) do
  change.pin = KEYS[3 + #of_model * order.models + i]
  local text = redis.call('GET', change.pin)
  change.current = text and read_pin(text, change.model) or nil
  change.unreadable = text and not change.current
  if change.current then
    epoch = math.max(epoch, change.current.epoch)
  end
end

for i, change in ipairs(order.changes) do
  local meta = redis.call('HGET', key_of(change, 2), change.number)
  local readable, known = pcall(cjson.decode, meta or '')
  if not meta or not readable or type(known) ~= 'table' or known.id ~= change.id then
    return {'UNKNOWN', i}
  end
  if known.digest ~= change.digest then
    return {'DIGEST', i}
  end
  if redis.call('HEXISTS', key_of(change, 1), change.number) == 0 then
    return {'DAMAGED', i}
  end
end
for i, change in ipairs(order.changes) do
  local held = change.current and change.current.id or ''
  if change.expect and (change.unreadable or change.expect ~= held) then
    return {'CONFLICT', i, held}
  end
end
local floor = epoch_of(order.floor)
local moving, guarded = {}, {}
for i, change in ipairs(order.changes) do
  local now = change.current
  local is_held = now and now.id == change.id and now.digest == change.digest
  if not is_held or floor > epoch then
    moving[#moving + 1] = change
  end
  if not (is_held or change.kind == 'repair' or change.label == 'drill') then
    change.index = i
    change.revoked = redis.call('HEXISTS', key_of(change, 4), change.id) == 1
    guarded[#guarded + 1] = change
  end
end
for _, change in ipairs(guarded) do
  change.place = change.label .. ':' .. change.id
  change.held = redis.call('SISMEMBER', key_of(change, 3), change.label .. ':' .. change.number) == 1
  change.goes_back = change.kind == 'rollback' or change.kind == 'undo'
  local accepted = change.goes_back or redis.call('HEXISTS', key_of(change, 9), change.place) == 0
  change.backward = change.held and accepted and not change.revoked
  local frozen = redis.call('EXISTS', key_of(change, 5)) == 1
  if frozen and not change.force and not change.backward then
    return {'FROZEN', change.index}
  end
end
for _, change in ipairs(guarded) do
  if change.revoked and not (change.force or change.restore) then
    return {'REVOKED', change.index}
  end
end

-- The result that a current verdict points to; nil if there is no such verdict.
local function proof(change, gate)
  local stored = redis.call('HGET', key_of(change, 8), change.digest)
  local verdict = stored and object_in(string.match(stored, '^%d+|(.*)$') or '')
  local baseline = change.current and change.current.digest or ''
  if verdict and gate.key and verdict.gate == gate.key and verdict.suite == gate.gate.suite
    and (verdict.baseline or '') == baseline then
    return verdict.result
  end
end

for _, change in ipairs(guarded) do
  local free = change.backward or (change.goes_back and change.held)
  local gate = change.label == 'prod' and not change.force and not free
    and gate_in(redis.call('GET', key_of(change, 7)))
  if gate then
    change.verdict = proof(change, gate)
    if not change.verdict then
      return {'UNPROVEN', change.index}
    end
  end
end
if #moving > 0 then
  epoch = math.max(epoch, floor) + 1
end
if epoch > MAX_EPOCH then
  return {'EXHAUSTED', 1}
end

-- What labels held before, oldest first: conversations that began with it may go on.
local former, ended = {}, {}
for _, one in ipairs(object_in(redis.call('GET', KEYS[#KEYS]) or '') or {}) do
  if type(one) == 'table' and type(one.id) == 'string' and type(one.label) == 'string'
    and type(one.at_ms) == 'string' then
    former[#former + 1] = {id = one.id, label = one.label, at_ms = one.at_ms}
  end
end

local at_ms, new_epoch = now_ms(), whole(epoch)
if #moving > 0 then
  redis.call('SET', KEYS[2], new_epoch)
end
for _, change in ipairs(moving) do
  local previous = change.current and change.current.id
  local text = table.concat({new_epoch, change.id, change.digest, order.operation}, '|')
  redis.call('SET', change.pin, text)
  redis.call('SADD', KEYS[3], change.model .. ':' .. change.label)
  redis.call('SADD', key_of(change, 3), change.label .. ':' .. change.number)
  local revoked, restored
  if change.revoke and previous and previous ~= change.id
    and redis.call('HSETNX', key_of(change, 4), previous, order.reason) == 1 then
    revoked = previous
  end
  if previous and redis.call('HEXISTS', key_of(change, 4), previous) == 1 then
    ended[previous] = true
  elseif previous and previous ~= change.id and change.label ~= 'drill' then
    former[#former + 1] = {id = previous, label = change.label, at_ms = at_ms}
  end
  if (change.force or change.restore) and redis.call('HDEL', key_of(change, 4), change.id) == 1 then
    restored = change.id
  end
  append(key_of(change, 6), {
    kind = change.kind,
    epoch = new_epoch,
    at_ms = at_ms,
    by = order.by,
    operation = order.operation,
    label = change.label,
    version = change.id,
    digest = change.digest,
    previous = previous,
    reason = order.reason,
    forced = change.force and '1' or nil,
    revoked = revoked,
    restored = restored,
    verdict = change.verdict,
  })
  if change.index and change.force then
    redis.call('HSET', key_of(change, 9), change.place, new_epoch)
  elseif change.index and not change.goes_back then
    redis.call('HDEL', key_of(change, 9), change.place)
  end
  change.moved = true
end

if #moving > 0 then
  local kept, known = {}, {}
  for i = #former, 1, -1 do
    local place = former[i].label .. ':' .. former[i].id
    if not ended[former[i].id] and not known[place] and #kept < tonumber(ARGV[4]) then
      known[place] = true
      table.insert(kept, 1, former[i])
    end
  end
  if #kept > 0 then
    redis.call('SET', KEYS[#KEYS], cjson.encode(kept), 'EX', ARGV[5])
  else
    redis.call('DEL', KEYS[#KEYS])
  end
end

local moved = {}
for i, change in ipairs(order.changes) do
  moved[i] = {
    model = change.model,
    label = change.label,
    id = change.id,
    epoch = change.moved and new_epoch or whole(change.current.epoch),
    previous = change.current and change.current.id,
  }
end
local result = cjson.encode({scope = order.scope, epoch = new_epoch, moved = moved})
redis.call('SET', KEYS[1], result, 'EX', ARGV[2])
if #moving > 0 then
  redis.call('PUBLISH', ARGV[3], new_epoch)
end
return {'SWAPPED', result}
