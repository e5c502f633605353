-- The maximum of the server, with the same body again and again: `wrk -s wrk.lua URL -- BODY`.
function init(arguments)
  wrk.method = "POST"
  wrk.body = arguments[1]
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer bench-key"
end
