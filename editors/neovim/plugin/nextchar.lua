-- The events and commands of nextchar; require("nextchar").setup{} changes its options.
local nextchar, api = require("nextchar"), vim.api
local group = api.nvim_create_augroup("nextchar", {})
local function on(event, act) api.nvim_create_autocmd(event, { group = group, callback = act }) end
on({ "TextChangedI", "CursorMovedI" }, nextchar.update)
on({ "InsertEnter", "CompleteDone" }, function() vim.schedule(nextchar.update) end)
on({ "InsertLeave", "BufLeave", "CompleteChanged" }, nextchar.leave)
on("RecordingLeave", function() require("nextchar.repeating").leave(vim.v.event.regname) end)
on("BufUnload", function(event) nextchar.forget(event.buf) end)
local hint = vim.fn.hlexists("ComplHint") == 1 and "ComplHint" or "Comment"
api.nvim_set_hl(0, "NextcharGhost", { link = hint, default = true })
api.nvim_create_user_command("NextcharToggle", function()
  nextchar.enabled = not nextchar.enabled
  nextchar.leave()
end, { desc = "Switch suggestions off or on" })
api.nvim_create_user_command("NextcharStatus", function()
  local now = nextchar.status()
  print(("nextchar, %s: %s"):format(now.url, now.shows and "a suggestion shows" or now.reason))
end, { desc = "Say why nothing is suggested" })
