-- Runs after jwt_authn and before the transcoder: finds the RPC of a request, refuses what cannot be one, and gives
-- answers their REST status and shape. Above stand ROUTES, the paths by segment, and NATIVE, the gRPC paths; both are
-- generated from the protos. Sentences given to respond() become {"error", "code", "details"} in the local replies.

local CODES = {
  [1] = "CANCELLED", [2] = "UNKNOWN", [3] = "INVALID_ARGUMENT", [4] = "DEADLINE_EXCEEDED", [5] = "NOT_FOUND",
  [6] = "ALREADY_EXISTS", [7] = "PERMISSION_DENIED", [8] = "RESOURCE_EXHAUSTED", [9] = "FAILED_PRECONDITION",
  [10] = "ABORTED", [11] = "OUT_OF_RANGE", [12] = "UNIMPLEMENTED", [13] = "INTERNAL", [14] = "UNAVAILABLE",
  [15] = "DATA_LOSS", [16] = "UNAUTHENTICATED",
}
-- What a caller may not read: the message of a fault is for the log.
local HIDDEN = { [2] = true, [13] = true, [15] = true }

-- Collect the operations of every template that fits, the most literal first, as the transcoder prefers them.
local function collect(node, segments, index, found)
  if index > #segments then
    if node.ops then found[#found + 1] = node.ops end
    return
  end
  local child = node.lit and node.lit[segments[index]]
  if child then collect(child, segments, index + 1, found) end
  if node.var then collect(node.var, segments, index + 1, found) end
end

local function find_operation(method, path)
  local segments, found = {}, {}
  for segment in path:gsub("%?.*", ""):gmatch("[^/]+") do segments[#segments + 1] = segment end
  collect(ROUTES, segments, 1, found)
  for _, operations in ipairs(found) do
    if operations[method] then return operations[method] end
  end
  local allowed, names = {}, {}
  for _, operations in ipairs(found) do
    for name in pairs(operations) do
      if not allowed[name] then
        allowed[name] = true
        names[#names + 1] = name
      end
    end
  end
  table.sort(names)
  return nil, names
end

local function refuse(handle, status, sentence, headers)
  headers = headers or {}
  headers[":status"] = tostring(status)
  handle:respond(headers, sentence)
end

-- The reason why the credentials do not count, or nil. Keys that could not be fetched, and keys not heard of yet, are
-- the gateway's trouble and not the caller's: the service verifies again and decides.
local function find_fault(handle, headers)
  local authorization = headers:get("authorization")
  local cookie = headers:get("cookie")
  if authorization then
    local scheme, token = authorization:match("^(%S+)%s+(%S+)%s*$")
    if not scheme or scheme:lower() ~= "bearer" then
      return "The Authorization header must read: Bearer <token>"
    end
    if token:sub(1, 4) == "prx_" then return nil end
  elseif not (cookie and (" " .. cookie):find("[ ;]proximity%-auth%-cookie=[^; ]")) then
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

local function check_body(handle, headers)
  local kind = headers:get("content-type")
  local length = headers:get("content-length")
  if length == "0" then return true end
  if kind == nil then
    if not (length or headers:get("transfer-encoding")) then return true end
  elseif kind:lower():match("^application/json%s*$") or kind:lower():match("^application/json%s*;") then
    return true
  end
  refuse(handle, 415, "The body must be JSON, sent with Content-Type: application/json")
  return false
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local method, path = headers:get(":method"), headers:get(":path")
  local kind = headers:get("content-type")
  if kind and kind:sub(1, 16) == "application/grpc" then
    local access = NATIVE[path]
    if access then check_access(handle, headers, access) end
    return
  end
  headers:remove("grpc-timeout")
  headers:remove("te")
  local operation, allowed = find_operation(method, path)
  if not operation then
    if #allowed == 0 then
      return refuse(handle, 404, "There is nothing at " .. path:gsub("%?.*", ""))
    end
    return refuse(handle, 405, method .. " is not possible here", { ["allow"] = table.concat(allowed, ", ") })
  end
  if operation.body and not check_body(handle, headers) then return end
  check_access(handle, headers, operation.access)
end

local function empty_body(handle, headers)
  headers:remove("content-type")
  local body = handle:body(true)
  if body then body:setBytes("") end
  headers:remove("content-length")
end

-- {"code":5,"message":"...","details":[...]}, as the transcoder prints google.rpc.Status, becomes REST's shape. The
-- message stays escaped as it is. What the gateway answered by itself has the shape already.
local function reshape_error(handle, headers)
  local body = handle:body(true)
  local text = body and body:length() > 0 and body:getBytes(0, body:length()) or ""
  local code, rest = text:match('^{"code":(%d+),"message":(.*)}$')
  if not code then return end
  code = tonumber(code)
  local name = CODES[code] or "UNKNOWN"
  if HIDDEN[code] then
    text = '{"error":"Internal error","code":"' .. name .. '","details":[]}'
  else
    text = '{"error":' .. rest .. ',"code":"' .. name .. '"}'
  end
  headers:replace("content-length", tostring(body:setBytes(text)))
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local wanted = headers:get("x-http-code")
  if wanted then headers:remove("x-http-code") end
  local kind = headers:get("content-type") or ""
  if kind:sub(1, 16) == "application/grpc" then return end
  local status = headers:get(":status")
  if status == "200" and wanted and wanted:match("^2%d%d$") or wanted == "304" or wanted == "503" then
    if status ~= "200" then return end
    headers:replace(":status", wanted)
    if wanted == "204" or wanted == "304" then empty_body(handle, headers) end
    return
  end
  if kind:sub(1, 17) == "text/event-stream" then
    headers:replace("cache-control", "no-cache")
    headers:replace("x-accel-buffering", "no")
  elseif tonumber(status) >= 400 and kind:sub(1, 16) == "application/json" then
    reshape_error(handle, headers)
  end
end
