/** Lua: which entry of a stream the groups that read it still need. */
export const OLDEST_NEEDED = `
local function before(a, b)
  local ams, aseq = string.match(a, '(%d+)-(%d+)')
  local bms, bseq = string.match(b, '(%d+)-(%d+)')
  if ams ~= bms then return tonumber(ams) < tonumber(bms) end
  return tonumber(aseq) < tonumber(bseq)
end

-- The oldest entry that a group seen since then still needs; nil when there is none. One that has not begun yet needs all.
local function oldestNeeded(stream, readers, since)
  local groups = {}
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = {}
    for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
    groups[group['name']] = group
  end
  local oldest = nil
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', readers, since, '+inf')) do
    local group, id = groups[name], nil
    if group and group['pending'] > 0 then
      id = redis.call('XPENDING', stream, name)[2]
    else
      local from = group and '(' .. group['last-delivered-id'] or '-'
      local unread = redis.call('XRANGE', stream, from, '+', 'COUNT', 1)
      if unread[1] then id = unread[1][1] end
    end
    if id and (not oldest or before(id, oldest)) then oldest = id end
  end
  return oldest
end
`;

/**
 * Cuts from a stream what is older than it need be. Events are in clear here and name people: on a quiet channel the cap alone
 * would keep them for months. What any group has not acknowledged stays, however old.
 *
 * KEYS 1 stream, 2 readers · ARGV 1 ms after which an acknowledged event is cut
 */
export const TRIM_SCRIPT = `
${OLDEST_NEEDED}
local stream = KEYS[1]
local time = redis.call('TIME')
local limit = string.format('%d-0', time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1])
if redis.call('EXISTS', stream) == 0 then return 0 end
local oldest = oldestNeeded(stream, KEYS[2], '-inf')
if oldest and before(oldest, limit) then limit = oldest end
return redis.call('XTRIM', stream, 'MINID', limit)
`;
