-- Checks the query, and numbers in the path, before the transcoder: that one takes a query parameter for any field, also
-- for one that the path binds, and drops unknown ones. An operation's `query`, `path` and `numbers` come from the protos.

local MAX_SUGGESTED_LENGTH = 60
local SHORTEST_PART = 4

-- Levenshtein distance of two short names.
local function measure_distance(a, b)
  local previous = {}
  for j = 0, #b do previous[j] = j end
  for i = 1, #a do
    local current = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      current[j] = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
    end
    previous = current
  end
  return previous[#b]
end

-- The remedy for an unknown name: the nearest known one, or all of them when none is near.
local function suggest_name(name, known)
  local names, nearest, least = {}, nil, math.max(2, math.floor(#name / 3)) + 1
  local spelling = name:gsub("(%l)(%u)", "%1_%2"):lower()
  for each in pairs(known) do
    names[#names + 1] = each
    local distance = #spelling <= MAX_SUGGESTED_LENGTH and measure_distance(spelling, each) or least
    -- A part of a name stands for it: host for host_id.
    if #spelling >= SHORTEST_PART and each:find(spelling, 1, true) then distance = math.min(distance, 2) end
    if distance < least or (distance == least and nearest and each < nearest) then
      nearest, least = each, distance
    end
  end
  if #names == 0 then return "it takes none" end
  table.sort(names)
  return nearest and "did you mean " .. nearest .. "?" or "known are " .. table.concat(names, ", ")
end

local function decode(text)
  if not text:find("[%%+]") then return text end -- nearly all
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- A name that a client chose, fit for a message.
local function show_name(name)
  return (name:sub(1, 100):gsub("[^%w_.%[%]-]", "?"))
end

local VALUES = {
  integer = function(text)
    local number = #text <= 11 and text:find("^-?%d+$") and tonumber(text)
    return number and number >= -2147483648 and number <= 2147483647
  end,
  number = function(text) return tonumber(text) ~= nil and text:find("^[%d.eE+-]+$") ~= nil end,
  boolean = function(text) return text == "true" or text == "false" end,
  text = function() return true end,
}

local function refuse_parameter(operation, name)
  local shown = show_name(name)
  if operation.path[name] then return shown, shown .. " belongs in the path, not in the query" end
  local where = operation.body and "; the fields of a body do not come from the query" or ""
  return shown, shown .. " is not a query parameter here; " .. suggest_name(name, operation.query) .. where
end

-- Returns the field at fault and the sentence, or the query as the transcoder reads it: it does not decode names.
local function check_parameters(operation, query)
  local seen, parts = {}, {}
  for part in query:gmatch("[^&]+") do
    local name, value = part:match("^([^=]*)=?(.*)$")
    name = decode(name)
    if name:sub(1, 1) ~= "_" then
      local known = operation.query[name]
      if not known then return refuse_parameter(operation, name) end
      if seen[name] then return name, name .. " is given more than once" end
      seen[name] = not known.many
      if not VALUES[known.kind](decode(value)) then return name, name .. " must be " .. known.wanted end
      parts[#parts + 1] = name .. "=" .. value
    end
  end
  return nil, nil, table.concat(parts, "&")
end

-- The field of the path or the query at fault, and the sentence; or nothing. Operations without `query` are pages.
local function check_target(headers, operation, path, segments)
  if not operation.query then return end
  for name, number in pairs(operation.numbers) do
    if not VALUES.integer(decode(segments[number.at])) then return name, name .. " must be " .. number.wanted end
  end
  local start = path:find("?", 1, true)
  if not start then return end
  local given = path:sub(start + 1)
  local field, sentence, query = check_parameters(operation, given)
  if field then return field, sentence end
  if query == given and query ~= "" then return end
  headers:replace(":path", path:sub(1, start - 1) .. (query ~= "" and "?" .. query or ""))
end
