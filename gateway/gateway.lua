-- Runs after jwt_authn and before the transcoder: finds the RPC of a request, refuses what cannot be one, and gives
-- answers their REST status and shape. Above stand ROUTES, the paths by segment, NATIVE, the gRPC paths, OWNERS, the
-- service behind each public gRPC service, all generated from the protos, and FILES, the files of the web console. Sentences given to respond() become {"error", "code", "details"} in the local replies.

local CODES = {
  [1] = "CANCELLED", [2] = "UNKNOWN", [3] = "INVALID_ARGUMENT", [4] = "DEADLINE_EXCEEDED", [5] = "NOT_FOUND",
  [6] = "ALREADY_EXISTS", [7] = "PERMISSION_DENIED", [8] = "RESOURCE_EXHAUSTED", [9] = "FAILED_PRECONDITION",
  [10] = "ABORTED", [11] = "OUT_OF_RANGE", [12] = "UNIMPLEMENTED", [13] = "INTERNAL", [14] = "UNAVAILABLE",
  [15] = "DATA_LOSS", [16] = "UNAUTHENTICATED",
}
local STATUSES = {
  [1] = "499", [3] = "400", [4] = "504", [5] = "404", [6] = "409", [7] = "403", [8] = "429", [9] = "400",
  [10] = "409", [11] = "400", [12] = "501", [14] = "503", [16] = "401",
}
-- What a caller may not read: the message of a fault is for the log.
local HIDDEN = { [2] = true, [13] = true, [15] = true }

-- The operations of the most literal template that fits, or nil. A word in a path is never the name of a thing, so
-- what the variable beside it would take counts for nothing.
local function find_operations(node, segments, index)
  if index > #segments then return node.ops end
  local child = node.lit and node.lit[segments[index]]
  local found = child and find_operations(child, segments, index + 1)
  return found or (node.var and find_operations(node.var, segments, index + 1))
end

-- Whether a path, decoded, is UTF-8 without NUL. Fields hold nothing else, and gRPC would fail on the way. Valid
-- sequences give way to a dot, so that what stood around one cannot join.
local SEQUENCES = {
  "[\194-\223][\128-\191]", "\224[\160-\191][\128-\191]", "[\225-\236\238\239][\128-\191][\128-\191]",
  "\237[\128-\159][\128-\191]", "\240[\144-\191][\128-\191][\128-\191]",
  "[\241-\243][\128-\191][\128-\191][\128-\191]", "\244[\128-\143][\128-\191][\128-\191]",
}
local function is_text(path)
  if not path:find("[%%\128-\255]") then return true end
  local decoded = path:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
  for _, sequence in ipairs(SEQUENCES) do decoded = decoded:gsub(sequence, ".") end
  return not decoded:find("[%z\128-\255]")
end

local function split_path(path)
  local segments = {}
  for segment in path:gsub("%?.*", ""):gmatch("[^/]+") do segments[#segments + 1] = segment end
  return segments
end

-- The web console: its files, and outside /api and /assets every path without a dot, the address of a screen. Routes
-- answer them.
local function is_console(path, segments)
  local bare = path:gsub("%?.*", "")
  if FILES[bare] then return true end
  -- Ids of apps and items from a source of one's own have dots; as in console_routes.py.
  if segments[1] == "apps" or segments[1] == "store" then bare = table.concat(segments, "/", 3) end
  return segments[1] ~= "api" and segments[1] ~= "assets" and not bare:find("%.")
end

local function list_methods(operations)
  local names = {}
  for name in pairs(operations) do names[#names + 1] = name end
  if operations.GET and not operations.HEAD then names[#names + 1] = "HEAD" end
  table.sort(names)
  return names
end

local function explain_method(method, operations)
  local allowed = table.concat(list_methods(operations), ", ")
  return method .. " is not possible here; possible are " .. allowed, allowed
end

-- Before the field and before the sentence of a refusal of this script, to tell it from the transcoder's words.
local REFUSED = "!"

local function refuse(handle, status, sentence, headers)
  headers = headers or {}
  headers[":status"] = tostring(status)
  handle:respond(headers, sentence)
end

local function check_console(handle, method)
  if method == "GET" or method == "HEAD" then return end
  refuse(handle, 405, method .. " is not possible here; possible are GET, HEAD", { ["allow"] = "GET, HEAD" })
end

-- The reason why the credentials do not count, or nil. Keys that could not be fetched, and keys not heard of yet, are
-- the gateway's trouble and not the caller's: the service verifies again and decides.
local COOKIES = { http = "[ ;]proximity%-auth%-cookie=[^; ]", https = "[ ;]__Host%-proximity%-auth%-cookie=[^; ]" }
local function find_fault(handle, headers)
  local authorization = headers:get("authorization")
  local cookie = headers:get("cookie")
  if authorization then
    local scheme, token = authorization:match("^(%S+)%s+(%S+)%s*$")
    if not scheme or scheme:lower() ~= "bearer" then
      return "The Authorization header must read: Bearer <token>"
    end
    if token:sub(1, 4) == "prx_" then
      -- auth alone knows which are valid; what it never issues ends here: 32 random bytes as URL-safe base64.
      return not (#token == 47 and token:find("^prx_[%w_-]+$")) and "The API token is not valid" or nil
    end
  elseif not (cookie and (" " .. cookie):find(COOKIES[headers:get("x-forwarded-proto")] or COOKIES.http)) then
    return "Authentication credentials were not provided"
  end
  local verdicts = handle:streamInfo():dynamicMetadata():get("envoy.filters.http.jwt_authn")
  local failed = verdicts and verdicts["failed"]
  if not failed then return nil end
  local message = failed["message"] or ""
  if message:find("expired") then return "The access token has expired" end
  if message:find("Jwks") then return nil end
  return "The access token is not valid"
end

local function check_access(handle, headers, access)
  if access ~= "user" then return true end
  local fault = find_fault(handle, headers)
  if not fault then return true end
  refuse(handle, 401, fault, { ["www-authenticate"] = "Bearer" })
  return false
end

-- A form of another site may be sent without asking first, also an empty one: any other type than JSON is refused.
local function check_body(handle, headers)
  local kind = headers:get("content-type")
  local length = headers:get("content-length")
  if (headers:get("content-encoding") or "identity") ~= "identity" then
    refuse(handle, 415, "The body must not be compressed")
    return false
  end
  if kind == nil then
    if (length or "0") == "0" and not headers:get("transfer-encoding") then return true end
  elseif kind:lower():match("^application/json%s*$") or kind:lower():match("^application/json%s*;") then
    return true
  end
  refuse(handle, 415, "The body must be JSON, sent with Content-Type: application/json")
  return false
end

-- What a body says would be ignored where there is no place for one.
local function check_no_body(handle, headers, method)
  if (headers:get("content-length") or "0") == "0" and not headers:get("transfer-encoding") then return true end
  refuse(handle, 400, REFUSED .. REFUSED .. method .. " takes no body here; parameters go into the query")
  return false
end

-- Browsers send cookies with the WebSockets of any page, and Origin with every one of them: it must be ours.
local function check_upgrade(handle, headers)
  local origin = headers:get("origin")
  local host = origin and (origin:match("^%a[%w+.-]*://([^/?#]+)$") or "")
  local is_foreign = host and host:lower() ~= (headers:get(":authority") or ""):lower()
  if is_foreign or (not host and not headers:get("authorization")) then
    refuse(handle, 403, "")
    return false
  end
  if (headers:get("upgrade") or ""):lower() == "websocket" then return true end
  refuse(handle, 426, "Here is a WebSocket; send Upgrade: websocket")
  return false
end

-- HEAD is answered as GET, and the body dropped on the way back (`drop_body`).
local function turn_head_into_get(handle, headers, operation)
  headers:replace(":method", "GET")
  if operation.endless then headers:replace("x-proximity-head", "1") end
  handle:streamInfo():dynamicMetadata():set("proximity.gateway", "head", true)
end

-- Headers of a REST request become gRPC metadata. What gRPC does not take for a name, or keeps for itself, would end
-- the call; no service asks for it.
local function drop_foreign_headers(headers)
  local foreign = { "te" }
  for name in pairs(headers) do
    if name:find("[^a-z0-9_.:-]") or name:sub(1, 5) == "grpc-" then foreign[#foreign + 1] = name end
  end
  for _, name in ipairs(foreign) do headers:remove(name) end
end

-- Health is a property of the server that a request names: the route depends on the message, a HealthCheckRequest
-- whose only field is the name, behind the five bytes of a gRPC frame.
local HEALTH = "/grpc.health.v1.Health/"
local function route_health(handle)
  handle:headers():remove("x-proximity-owner")
  local body = handle:body(true)
  local message = body and body:length() > 7 and body:getBytes(5, body:length() - 5) or ""
  local owner = message:byte(1) == 10 and OWNERS[message:sub(3)]
  if not owner then return end
  handle:headers():add("x-proximity-owner", owner)
  handle:clearRouteCache()
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local method, path = headers:get(":method"), headers:get(":path")
  if not path then return refuse(handle, 405, "CONNECT is not possible here") end
  local kind = headers:get("content-type")
  if kind and kind:sub(1, 16) == "application/grpc" then
    local access = NATIVE[path]
    if access then check_access(handle, headers, access) end
    if path:sub(1, #HEALTH) == HEALTH then route_health(handle) end
    return
  end
  drop_foreign_headers(headers)
  if not is_text(path) then return refuse(handle, 400, "") end
  local segments = split_path(path)
  if is_console(path, segments) then return check_console(handle, method) end
  local operations = find_operations(ROUTES, segments, 1)
  if not operations then return refuse(handle, 404, "There is nothing at " .. path:gsub("%?.*", "")) end
  local operation = operations[method] or (method == "HEAD" and operations.GET)
  if not operation then
    local sentence, allowed = explain_method(method, operations)
    return refuse(handle, 405, sentence, { ["allow"] = allowed })
  end
  if operation.array then handle:streamInfo():dynamicMetadata():set("proximity.gateway", "array", true) end
  if operation.body and not check_body(handle, headers) then return end
  if not check_access(handle, headers, operation.access) then return end
  if not operation.query then return end -- a page
  if not operation.body and not check_no_body(handle, headers, method) then return end
  local field, sentence = check_target(headers, operation, path, segments)
  if field then return refuse(handle, 400, REFUSED .. field .. REFUSED .. sentence) end
  if operation.websocket and not check_upgrade(handle, headers) then return end
  if method == "HEAD" then turn_head_into_get(handle, headers, operation) end
end

-- Waiting for a body ends the life of every object that the script holds: they are asked for again behind it.
local function read_body(handle)
  local body = handle:body(true)
  return body, body and body:length() > 0 and body:getBytes(0, body:length()) or ""
end

local function empty_body(handle)
  local body = read_body(handle)
  if body then body:setBytes("") end
  handle:headers():remove("content-type")
  handle:headers():remove("content-length")
end

-- The message of a fault is for the log; the caller gets the trace id under which the log has it, if there is one.
local function render_fault(name, rest)
  local trace = rest:match("under (%x+)")
  local details = trace and '{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INTERNAL","domain":"proximity",'
    .. '"metadata":{"trace_id":"' .. trace .. '"}}' or ""
  return '{"error":"Internal error","code":"' .. name .. '","details":[' .. details .. "]}"
end

-- {"code":5,"message":"...","details":[...]}, as the transcoder prints google.rpc.Status, becomes REST's shape. The
-- message stays escaped as it is.
local function render_status(code, rest)
  local name = CODES[code] or "UNKNOWN"
  if HIDDEN[code] then return render_fault(name, rest) end
  rest = rest:gsub('^"Deadline Exceeded"', '"The service did not answer in time"')
  return '{"error":' .. rest .. ',"code":"' .. name .. '"}'
end

-- The transcoder's words for what the script let through: times in the query, and what no field can hold.
local REFUSALS = {
  { "UTF%-8", "The request is not valid UTF-8" },
  { "^$", "The path or a header of the request is not valid" },
}

-- The field at fault, if it is known, and the sentence for a person. Values are not repeated, for they may be secret.
-- `text` is still escaped for JSON.
local function explain_refusal(text)
  local field, sentence = text:match("^" .. REFUSED .. "([^!]*)" .. REFUSED .. "(.*)$")
  if field then return field ~= "" and field or nil, sentence end
  field = text:match("^([%w_%.%[%]]+): invalid value ") or text:match("^([%w_%.%[%]]+): ")
  if field then return field, field .. " must be a time like 2026-01-31T12:00:00Z" end -- the others were checked before
  for _, refusal in ipairs(REFUSALS) do
    if text:find(refusal[1]) then return nil, refusal[2] end
  end
  return nil, "The request is not valid"
end

local function render_refusal(text)
  local field, sentence = explain_refusal(text)
  local details = "[]"
  if field then
    details = '[{"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[{"field":"' .. field
      .. '","description":"' .. sentence .. '"}]}]'
  end
  return '{"error":"' .. sentence .. '","code":"INVALID_ARGUMENT","details":' .. details .. "}"
end

-- Answers that the gateway made by itself have the shape already; only their words may be the transcoder's.
local function reshape_error(handle, status)
  local body, text = read_body(handle)
  local code, rest = text:match('^{"code":(%d+),"message":(.*)}$')
  local refusal = text:match('^{"code":"INVALID_ARGUMENT","details":%[%],"error":"(.*)"}%s*$')
  if code then
    text = render_status(tonumber(code), rest)
  elseif refusal and status == "400" then
    text = render_refusal(refusal)
  else
    return
  end
  handle:headers():replace("content-length", tostring(body:setBytes(text)))
end

local function unescape(message)
  return (message:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"'
end

-- A stream that REST prints as an array is held until its status is known: it is whole, or it is an error. What broke
-- off would look like a complete array, for the transcoder closes the bracket and has said 200 long before.
local function settle_array(handle)
  local body, text = read_body(handle)
  local trailers = handle:trailers()
  local code = tonumber(trailers and trailers:get("grpc-status") or "0") or 2
  if code == 0 or not body then return end
  local rest = quote(unescape(trailers:get("grpc-message") or "")) .. ',"details":[]'
  rest = text:match('^{"code":%d+,"message":(.*)}$') or rest
  local headers = handle:headers()
  headers:replace(":status", STATUSES[code] or "500")
  headers:replace("content-length", tostring(body:setBytes(render_status(code, rest))))
end

local INNER_HEADERS = { "grpc-status", "grpc-message", "grpc-accept-encoding", "grpc-encoding" }

-- The answer to HEAD: the headers of GET. The compressor would make a body of nothing; it passes encoded answers.
local function drop_body(handle)
  local length = handle:headers():get("content-length")
  local body = read_body(handle)
  if body then body:setBytes("") end -- which sets the length to 0
  if length then handle:headers():replace("content-length", length) end
  handle:headers():replace("content-encoding", "identity")
end

-- Envoy itself refuses QUERY without a content type, with 400 and before any filter sees the request. The local reply
-- names the path in this header (`gateway.replies`), so that the answer is that of every other method.
local REFUSED_PATH = "x-proximity-refused-path"
local function reshape_query(handle, path)
  local segments = split_path(path)
  local operations = is_console(path, segments) and { GET = true } or find_operations(ROUTES, segments, 1)
  local status, name, sentence, allowed = "404", "NOT_FOUND", "There is nothing at " .. path:gsub("%?.*", ""), nil
  if operations then
    status, name = "405", "UNIMPLEMENTED"
    sentence, allowed = explain_method("QUERY", operations)
  end
  local body = handle:body(true)
  local text = '{"error":' .. quote(sentence) .. ',"code":"' .. name .. '","details":[]}'
  local length = body and body:setBytes(text)
  local headers = handle:headers()
  headers:replace(":status", status)
  if allowed then headers:replace("allow", allowed) end
  if length then headers:replace("content-length", tostring(length)) end
end

local function shape_answer(handle, headers, state)
  local refused = headers:get(REFUSED_PATH)
  if refused then
    headers:remove(REFUSED_PATH)
    if is_text(refused) then return reshape_query(handle, refused) end
  end
  local wanted = headers:get("x-http-code")
  if wanted then headers:remove("x-http-code") end
  local kind = headers:get("content-type") or ""
  if kind:sub(1, 16) == "application/grpc" then return end
  for _, name in ipairs(INNER_HEADERS) do headers:remove(name) end
  if headers:get("etag") and not headers:get("cache-control") then
    headers:add("cache-control", "private, no-cache")
  end
  local status = headers:get(":status")
  if status == "200" and wanted and (wanted:match("^2%d%d$") or wanted == "304" or wanted == "503") then
    headers:replace(":status", wanted)
    if wanted == "204" or wanted == "304" then empty_body(handle) end
  elseif status == "200" and state["array"] then
    settle_array(handle)
  elseif kind:sub(1, 17) == "text/event-stream" then
    headers:replace("cache-control", "no-cache")
    headers:replace("x-accel-buffering", "no")
  elseif tonumber(status) >= 400 and kind:sub(1, 16) == "application/json" then
    reshape_error(handle, status)
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local state = handle:streamInfo():dynamicMetadata():get("proximity.gateway") or {}
  shape_answer(handle, headers, state)
  if state["head"] then drop_body(handle) end
end
