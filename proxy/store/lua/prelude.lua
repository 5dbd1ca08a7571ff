-- Stands before every script. Redis does not take back what a script wrote before it failed, so
-- each of them makes all its checks before its first write.

local MAX_EPOCH = 9007199254740991 -- doubles count no further

-- Return a refusal if a key holds another type than ours; kinds go by the position in KEYS.
local function foreign(kinds)
  for i, kind in ipairs(kinds) do
    local found = redis.call('TYPE', KEYS[i])
    found = found['ok'] or found
    if found ~= 'none' and found ~= kind then
      return {'FOREIGN', KEYS[i]}
    end
  end
end

-- Return the answer of an earlier call with this operation id, or nil.
local function replay(stored, scope)
  if not stored then
    return nil
  end
  local readable, first = pcall(cjson.decode, stored)
  if not readable or type(first) ~= 'table' then
    return {'FOREIGN', 'operation'}
  end
  if first.scope ~= scope then
    return {'OTHER_SCOPE'}
  end
  return {'REPLAY', stored}
end

-- '%d': Lua itself would write large numbers with an exponent.
local function whole(number)
  return string.format('%d', number)
end

local function epoch_of(stored)
  if not stored or #stored > 16 or not string.match(stored, '^%d+$') then
    return 0
  end
  return math.min(tonumber(stored), MAX_EPOCH)
end

-- What a pin says; nil if no swap of this model would have written it.
local function read_pin(text, model)
  local epoch, id, hex, operation =
    string.match(text, '^(%d+)|([a-z0-9-]+)|sha256:([0-9a-f]+)|([^|%c]+)$')
  if not epoch or #epoch > 16 or #hex ~= 64 or string.sub(id, 1, #model) ~= model then
    return nil
  end
  local number, short = string.match(string.sub(id, #model + 1), '^%-v([1-9]%d*)%-([0-9a-f]+)$')
  if not number or #number > 9 or #short < 6 or string.sub(hex, 1, #short) ~= short then
    return nil
  end
  local count = tonumber(epoch)
  if count < 1 or count > MAX_EPOCH then
    return nil
  end
  return {epoch = count, id = id, digest = 'sha256:' .. hex, operation = operation}
end

-- What JSON says; nil if it is none, or no object.
local function object_in(text)
  local readable, value = pcall(cjson.decode, text)
  return readable and type(value) == 'table' and value or nil
end

-- The gate in force; nil if there is none. One that cannot be read lets nothing through.
local function gate_in(stored)
  if not stored then
    return nil
  end
  local found = object_in(stored)
  if found and type(found.gate) == 'table' then
    return found
  end
  return {gate = {}}
end

local function now_ms()
  local now = redis.call('TIME')
  return whole(now[1] * 1000 + math.floor(now[2] / 1000))
end

local function append(stream, fields)
  local flat = {}
  for name, value in pairs(fields) do
    if value and value ~= '' then
      flat[#flat + 1] = name
      flat[#flat + 1] = value
    end
  end
  redis.call('XADD', stream, '*', unpack(flat))
end
