-- One HTTP request over its own TCP connection: it starts no process and never blocks the editor.
local HEAD = "%s %s HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d"

--- Calls done(status, body), or done(nil, reason), on the main loop. Returns a function that cancels
--- the request: done is then never called, and the closed connection tells the service to stop. It
--- uses HTTP/1.0, so that an answer never comes in chunks, and IPv4, because `localhost` may also mean
--- ::1, where a service on 127.0.0.1 does not listen.
return function(url, method, path, body, done)
  local host, port, base = url:match("^http://([^/:]+):?(%d*)(.-)/?$")
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
      socket:write(HEAD:format(method, base .. path, host, #body) .. "\r\n\r\n" .. body)
    end)
  end
  if not host then finish(nil, "the option url must look like http://127.0.0.1:8000, not " .. url)
  else vim.uv.getaddrinfo(host, port == "" and "80" or port, { family = "inet" }, connect) end
  return function() done = nil finish() end
end
