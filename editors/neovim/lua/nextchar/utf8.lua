-- Text that is UTF-8, whatever bytes a buffer has.
local R, P = vim.lpeg.R, vim.lpeg.P
local byte = R("\128\191")
-- RFC 3629, section 4.
local character = R("\0\127")
  + R("\194\223") * byte
  + P("\224") * R("\160\191") * byte
  + R("\225\236", "\238\239") * byte * byte
  + P("\237") * R("\128\159") * byte
  + P("\240") * R("\144\191") * byte * byte
  + R("\241\243") * byte * byte * byte
  + P("\244") * R("\128\143") * byte * byte
local REPLACEMENT = "\239\191\189"
local replaced = vim.lpeg.Cs((character + P(1) / REPLACEMENT) ^ 0)

return {
  REPLACEMENT = REPLACEMENT,
  --- The text with U+FFFD in place of each byte that is not part of a character in UTF-8.
  replace = function(text) return replaced:match(text) end,
}
