-- Authsignal's answers out of memory: bodies prepared by local_api.py, the user's id put where the mark stands.
local bench = {}

local KINDS = { [""] = "user", ["/authenticators"] = "authenticators", ["/actions"] = "actions", ["/devices"] = "devices" }
local bodies, users, delay, mark = {}, 0, 0, ""

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- The pieces of a body between the marks: joining them with an id is all that is left to do for a request.
local function pieces(text)
  local found, start = {}, 1
  while true do
    local from, to = text:find(mark, start, true)
    found[#found + 1] = text:sub(start, (from or 0) - 1)
    if not from then
      return found
    end
    start = to + 1
  end
end

function bench.load(settings)
  users, delay, mark = settings.users, settings.delay, settings.mark
  for _, kind in ipairs({ "listed", "user", "authenticators", "actions", "devices" }) do
    bodies[kind] = {}
    for number = 0, settings.people - 1 do
      bodies[kind][number] = pieces(read(settings.folder .. "/" .. kind .. "/" .. number .. ".json"))
    end
  end
  bodies.tenant = read(settings.folder .. "/tenant.json")
end

local function id_of(number)
  return string.format("person-%07d", number)
end

local function number_of(id)
  local number = tonumber(id:match("^person%-(%d+)$"))
  return number and number < users and number or nil
end

local function body_of(kind, number)
  local variants = bodies[kind]
  return table.concat(variants[number % (#variants + 1)], id_of(number))
end

local function page(limit, after)
  local first = after and number_of(after) + 1 or 0
  local last = math.min(first + limit, users) - 1
  local rows = {}
  for number = first, last do
    rows[#rows + 1] = body_of("listed", number)
  end
  local cursor = last < users - 1 and ',"lastEvaluatedUserId":"' .. id_of(last) .. '"' or ""
  return '{"users":[' .. table.concat(rows, ",") .. "]" .. cursor .. "}"
end

local function answer()
  local path = ngx.var.uri:sub(#"/v1" + 1)
  if path == "/users" then
    return page(tonumber(ngx.var.arg_limit) or 50, ngx.var.arg_lastEvaluatedUserId)
  elseif path == "/authenticators" then
    return bodies.tenant
  end
  local id, rest = path:match("^/users/([^/]+)(.*)$")
  local number = id and number_of(id)
  return number and KINDS[rest] and body_of(KINDS[rest], number)
end

function bench.answer()
  local body = answer()
  if not body then
    return ngx.exit(404)
  end
  if delay > 0 then
    ngx.sleep(delay)
  end
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

return bench
