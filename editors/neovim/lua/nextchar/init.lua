-- Ghost text in insert mode from a nextchar service: one request per key; only the newest counts.
local http, utf8 = require("nextchar.http"), require("nextchar.utf8")
local choices, repeating = require("nextchar.options"), require("nextchar.repeating")
local api, options = vim.api, choices.defaults
local M, space = { enabled = true }, api.nvim_create_namespace("nextchar")
-- By buffer: { id, first: the line, from 0, where the sent text begins, read: whether the service has
-- read the text once }.
local sessions = {}
-- { buffer, row, before, after, text, former }: the shown suggestion, the line that it was made for,
-- and the mappings that its keys had before.
local shown
-- The place of the newest request, and the function that cancels it until it is answered.
local asked, cancel
local why = "nothing was typed in insert mode yet"

local function hide()
  local old = shown
  shown = nil
  if not old or not api.nvim_buf_is_valid(old.buffer) then return end
  api.nvim_buf_clear_namespace(old.buffer, space, 0, -1)
  api.nvim_buf_call(old.buffer, function()
    for key, former in pairs(old.former) do
      pcall(vim.keymap.del, "i", key, { buffer = true })
      if former.buffer == 1 then vim.fn.mapset("i", false, former) end
    end
  end)
end

--- The rest of the suggestion at the cursor, or nil if the text differs from it. It reads the line
--- itself, because keys may come faster than their events.
local function rest()
  local row, col = unpack(api.nvim_win_get_cursor(0))
  if not shown or shown.buffer ~= api.nvim_get_current_buf() or shown.row ~= row then return end
  local typed = shown.text:sub(1, math.max(0, col - #shown.before))
  local left, line = shown.text:sub(#typed + 1), shown.before .. typed .. shown.after
  local same = line == api.nvim_get_current_line() and col == #shown.before + #typed
  if same and left:find("%S") and not options.menu_visible() then return left, row, col end
end

local function draw()
  local left, row, col = rest()
  if not left then return hide() end
  local text = left:gsub("\t", (" "):rep(vim.bo.tabstop))
  local ghost = { id = 1, virt_text = { { text, "NextcharGhost" } }, virt_text_pos = "inline" }
  api.nvim_buf_set_extmark(0, space, row - 1, col, ghost)
end

--- Inserts the suggestion or its first word; if none is shown, `key` does what it does without us.
local function take(key, word)
  local left = rest()
  if not left then hide() return api.nvim_feedkeys(vim.keycode(key), "im", false) end
  local run = left:match("^[ \t]*[%w_\128-\255]+") or left:match("^[ \t]*[^%w_%s\128-\255]+")
  local part = word and run or left
  repeating.insert_for(key, part)
  M.update()
end

--- Shows a suggestion. Its keys are mapped only while it is shown. At all other times the user's own
--- mappings hold, buffer-local or global, made before this plugin or after it.
local function show(suggestion)
  hide()
  shown = suggestion
  draw()
  for _, kind in ipairs(shown and { "accept", "accept_word" } or {}) do
    local key = options[kind] or ("<Plug>(nextchar-%s)"):format(kind)
    shown.former[key] = vim.fn.maparg(key, "i", false, true)
    vim.keymap.set("i", key, function() take(key, kind == "accept_word") end, { buffer = true })
  end
end

--- The reason why nothing is asked for at the cursor, or false.
local function obstacle()
  return not M.enabled and "switched off; :NextcharToggle switches it on"
    or vim.bo.buftype ~= "" and "not in buffers of type " .. vim.bo.buftype
    or vim.list_contains(options.off, vim.bo.filetype) and "the file type is in the option off"
    or #api.nvim_get_current_line() > options.max_prefix and "the line is longer than max_prefix"
    or options.menu_visible() and "the completion menu is open"
end

--- The text before the cursor, from the session's first line on. This line stays the same, so that
--- the service sees one growing text. Only if the text is too long, or too short to be of use, the
--- line moves to about half of max_prefix before the cursor.
local function prefix(session, row, col)
  local stop, most = api.nvim_buf_get_offset(0, row - 1) + col, options.max_prefix
  local function size(line) return stop - api.nvim_buf_get_offset(0, line) end
  local first = math.min(session.first, row - 1)
  if size(first) > most or first > 0 and size(first) < most / 4 then
    first = row - 1
    while first > 0 and size(first - 1) <= most / 2 do first = first - 1 end
  end
  session.first, session.read = first, session.read and first == session.first
  return table.concat(api.nvim_buf_get_text(0, first, 0, row - 1, col, {}), "\n")
end

--- Adjusts the shown suggestion to the text and the cursor, and asks for the next one.
function M.update()
  draw()
  local buffer, row, col = api.nvim_get_current_buf(), unpack(api.nvim_win_get_cursor(0))
  local place = table.concat({ buffer, api.nvim_buf_get_changedtick(buffer), row, col }, ":")
  if place == asked or api.nvim_get_mode().mode:sub(1, 1) ~= "i" then return end
  local session = sessions[buffer] or { id = vim.text.hexencode(vim.uv.random(16)), first = 0 }
  -- Reading a text for the first time takes long. If each key cancelled it, it would never end.
  if cancel and not session.read then return elseif cancel then cancel() end
  asked, cancel, why = not obstacle() and place or nil, nil, "the service has not answered yet"
  if not asked then return end
  sessions[buffer] = session
  local line, last = api.nvim_get_current_line(), math.min(row + 50, api.nvim_buf_line_count(0))
  local below = table.concat(api.nvim_buf_get_text(0, row - 1, col, last - 1, -1, {}), "\n")
  local body = utf8.replace(vim.json.encode(vim.tbl_extend("force", options.request, {
    session = session.id,
    prefix = prefix(session, row, col),
    suffix = vim.fn.strcharpart(below, 0, options.max_suffix),
    model = options.models[vim.bo.filetype] or options.models["*"],
  })))
  cancel = http.request(options.url, "POST", "/complete", body, function(status, text)
    -- A replaced byte may be suggested again, which would not repeat the byte.
    local function read()
      return (vim.json.decode(text).completion:match("^[^\n]*"):gsub(utf8.REPLACEMENT .. ".*", ""))
    end
    local valid, found = pcall(status == 200 and read or error)
    cancel = nil
    -- An older request of ours arrived later and ended this one, so this one is sent again.
    if status == 409 then asked = nil return M.update() end
    session.read = valid
    why = not valid and (status and ("the service answered %d: %s"):format(status, text) or text)
      or found == "" and "the service had nothing probable enough to suggest"
      or "the last suggestion was taken, or typing left it"
    show({ buffer = buffer, row = row, before = line:sub(1, col), after = line:sub(col + 1),
      text = valid and found or "", former = {} })
    M.update()
  end)
end

function M.leave()
  if cancel then cancel() end
  asked, cancel = nil, nil
  hide()
end

--- Forgets a buffer, here and in the service.
function M.forget(buffer)
  local session = sessions[buffer]
  sessions[buffer] = nil
  local path = session and vim.v.exiting == vim.NIL and "/sessions/" .. session.id
  if path then http.request(options.url, "DELETE", path, "", function() end) end
end

--- The shown suggestion, whether a request is unanswered, and why nothing is shown.
function M.status()
  return { url = options.url, shows = rest(), waits = cancel ~= nil, reason = obstacle() or why }
end

--- Changes options; raises an error that names the option that is wrong, and changes nothing then.
function M.setup(given)
  choices.check(given or {})
  options = vim.tbl_extend("force", options, given or {})
end

return M
