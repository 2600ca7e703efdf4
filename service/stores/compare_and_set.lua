-- Sets a session's value where the token held is the one expected, or already this value's own
-- (the same write, repeated). Returns {1} when set, else {0, what is held}.
-- KEYS[1] the session; ARGV: token expected, value, time to live in milliseconds, token size.
local size = tonumber(ARGV[4])
local held = redis.pcall('GETRANGE', KEYS[1], 0, size - 1)
if type(held) == 'table' then
  -- Something that is not ours stands here, of another type: as good as nothing.
  held = ''
end
if held == ARGV[1] or held == string.sub(ARGV[2], 1, size) then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return {1}
end
return {0, redis.call('GET', KEYS[1])}
