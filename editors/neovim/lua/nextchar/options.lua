-- The options: their defaults, and which values setup takes.
local http = require("nextchar.http")
local M = {}

M.defaults = {
  url = "http://127.0.0.1:8000",
  accept = "<Tab>", accept_word = "<C-Right>", -- false: no key
  off = {}, -- file types without suggestions
  models = {}, -- model by file type, "*" for the others; none: the service's default
  request = {}, -- more fields of POST /complete, such as max_chars
  max_prefix = 8000, max_suffix = 1000, -- bytes before the cursor, characters after it
  menu_visible = function() return vim.fn.pumvisible() ~= 0 end,
}

local function text(value) return type(value) == "string" and value ~= "" end
local function address(value) return text(value) and http.parse(value) end
local function key(value) return text(value) or value == false end
local function count(value) return type(value) == "number" and value >= 0 and value % 1 == 0 end
local function all(holds, values) return vim.iter(values):all(holds) end
local function named(value) return type(value) == "table" and all(text, vim.tbl_keys(value)) end

-- By option: what is expected, and whether a value is that.
local expected = {
  url = { "an address like http://127.0.0.1:8000", address },
  accept = { 'a key like "<Tab>", or false', key },
  accept_word = { 'a key like "<C-Right>", or false', key },
  off = { "a list of file types", function(v) return vim.islist(v) and all(text, v) end },
  models = {
    "names of models by file type",
    function(v) return named(v) and all(text, vim.tbl_values(v)) end,
  },
  request = { "fields of POST /complete by their names", named },
  max_prefix = { "a whole number", count },
  max_suffix = { "a whole number", count },
  menu_visible = { "a function", vim.is_callable },
}

--- Raises an error that names the option if one of them is unknown or has a wrong value.
function M.check(given)
  if type(given) ~= "table" then error("nextchar: setup expects a table of options", 0) end
  for name, value in pairs(given) do
    local what, holds = unpack(expected[name] or {})
    if not what then
      local known = table.concat(vim.fn.sort(vim.tbl_keys(expected)), ", ")
      error(("nextchar: there is no option %s, only %s"):format(name, known), 0)
    elseif not holds(value) then
      local got = vim.inspect(value):sub(1, 100)
      error(("nextchar: option %s: expected %s, not %s"):format(name, what, got), 0)
    end
  end
end

return M
