-- Reads a session, without its value where the caller's copy, whose token it names, is current.
-- Returns {1} when current, else {0, what is held}. KEYS[1] the session; ARGV[1] the token known.
if ARGV[1] ~= '' then
  local held = redis.pcall('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
  if held == ARGV[1] then
    return {1}
  end
end
local value = redis.pcall('GET', KEYS[1])
if type(value) == 'table' then
  -- Something that is not ours stands here, of another type: as good as nothing.
  value = false
end
return {0, value}
