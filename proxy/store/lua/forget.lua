-- Take names out of the set of members whose lease is gone; one that came back stays.
-- KEYS: 1 members, then the lease of each name in ARGV
local gone = {}
for i, name in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[1 + i]) == 0 then
    gone[#gone + 1] = name
  end
end
if #gone > 0 then
  redis.call('SREM', KEYS[1], unpack(gone))
end
return {'FORGOTTEN', #gone}
