-- One HTTP request over its own TCP connection: it starts no process and never blocks the editor.
local M = {}
local HEAD = "%s %s HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d"

--- The parts of an http URL: the host as in a URL, with its port; the host, the port and the path.
--- Returns nil if the URL is something else.
function M.parse(url)
  local authority, path = url:match("^http://([^/]+)(.-)/*$")
  local host, port = (authority or ""):match("^%[(%x*:[%x:.]*)%]:?(%d*)$")
  if not host then host, port = (authority or ""):match("^([^:%[%]]+):?(%d*)$") end
  if host then return authority, host, port == "" and "80" or port, path end
end

--- Calls done(status, body), or done(nil, reason), on the main loop. Returns a function that cancels
--- the request: done is then never called, and the closed connection tells the service to stop. It
--- uses HTTP/1.0, so that an answer never comes in chunks. Only an address in brackets is reached
--- over IPv6, because `localhost` may also mean ::1, where a service on 127.0.0.1 does not listen.
function M.request(url, method, path, body, done)
  local authority, host, port, base = M.parse(url)
  local socket, received = assert(vim.uv.new_tcp()), ""
  local function finish(status, text)
    if socket:is_closing() then return end
    socket:close()
    vim.schedule(function() if done then done(status, text) end end)
  end
  local function read(err, chunk)
    received = received .. (chunk or "")
    if chunk then return end
    local status, text = received:match("^HTTP/%S+ (%d+).-\r\n\r\n(.*)$")
    finish(tonumber(status), text or err or "the connection closed before the answer was complete")
  end
  local function connect(err, found)
    if err or socket:is_closing() then return finish(nil, ("no host %s: %s"):format(host, err)) end
    socket:connect(found[1].addr, found[1].port, function(failed)
      if failed then return finish(nil, ("no connection to %s: %s"):format(url, failed)) end
      socket:read_start(read)
      socket:write(HEAD:format(method, base .. path, authority, #body) .. "\r\n\r\n" .. body)
    end)
  end
  vim.uv.getaddrinfo(host, port, { family = host:find(":") and "inet6" or "inet" }, connect)
  return function() done = nil finish() end
end

return M
