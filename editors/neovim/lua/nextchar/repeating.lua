-- Inserts text so that `.` and macros repeat it.
local api = vim.api
local M = {}
local begin = vim.keycode("<Cmd>") .. 'lua require("nextchar.repeating").insert("'
-- The keys that have inserted text while a macro was recorded.
local recorded = {}

--- Inserts text at the cursor. `.` repeats what is pasted, but not what nvim_buf_set_text inserts.
function M.insert(text) api.nvim_paste(text, false, -1) end

--- Inserts text for a key. A macro records the key, which does something else when the macro runs.
--- So it gets to record, by being typed, a command that inserts the text.
function M.insert_for(key, text)
  if vim.fn.reg_recording() == "" then return M.insert(text) end
  recorded[key] = true
  local function escape(byte) return ("\\%03d"):format(byte:byte()) end
  local typed = begin .. text:gsub('[%c"\\\128-\255]', escape) .. '")' .. vim.keycode("<CR>")
  api.nvim_feedkeys(typed, "int", false)
end

--- Takes the keys that have inserted text out of the macro in a register; their commands stay.
function M.mend(register)
  local macro = vim.fn.getreg(register)
  for key in pairs(recorded) do
    macro = macro:gsub(vim.pesc(vim.keycode(key) .. begin), begin)
  end
  recorded = {}
  vim.fn.setreg(register, macro, vim.fn.getregtype(register))
end

--- To be called when a recording ends. The register is written after that, so it is mended by a
--- command that comes before all that was typed meanwhile.
function M.leave(register)
  if vim.tbl_isempty(recorded) then return end
  local mend = '<Cmd>lua require("nextchar.repeating").mend("%s")<CR>'
  api.nvim_feedkeys(vim.keycode(mend:format(register:lower())), "in", false)
end

return M
