import { OLDEST_NEEDED } from './trim-script.ts';

/**
 * Producer state names people (the givers of open streaks): nobody who resumes it comes later than this, in milliseconds.
 * A stream lasts hours; what its streaks and likes came to is in PostgreSQL.
 */
const STATE_MEMORY_MS = 24 * 60 * 60 * 1_000;

/**
 * The append, in one atomic step on the channel's shard.
 *
 * KEYS 1 stream, 2 head, 3 state, 4 and 5 windows of ids seen lately, 6 readers, 7 live channel, 8 lease (when there is one)
 * ARGV 1 owner, 2 epoch (both empty without a lease), 3 sequence floor, 4 stream cap, 5 window ms, 6 window ids,
 *      7 ms after which a silent channel's sequence is forgotten, 8 ms after which a silent group is,
 *      9 count of set fields, 10 of deleted fields, 11 of events,
 *      then field, value, …; field, …; id, …; event JSON, …
 * Answers {'STALE'}, {'FULL'} or {'OK', first sequence, entry id or '' for a duplicate, …}.
 *
 * The stream is cut when it reaches its cap, down to the oldest event that a living group has not acknowledged. When that
 * leaves no room the append is refused: an unread event is never dropped for a newer one.
 */
export const APPEND_SCRIPT = `
local stream, head, state = KEYS[1], KEYS[2], KEYS[3]
if KEYS[8] then
  local lease = redis.call('HMGET', KEYS[8], 'owner', 'epoch')
  if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return {'STALE'} end
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cap = tonumber(ARGV[4])

${OLDEST_NEEDED}
if redis.call('XLEN', stream) >= cap then
  local oldest = oldestNeeded(stream, KEYS[6], now - tonumber(ARGV[8]))
  if oldest then
    redis.call('XTRIM', stream, 'MINID', oldest)
  else
    redis.call('XTRIM', stream, 'MAXLEN', math.floor(cap / 2))
  end
  if redis.call('XLEN', stream) >= cap then return {'FULL'} end
end

local sets, deletes, count = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local firstSet = 12
local firstDelete = firstSet + 2 * sets
local firstId = firstDelete + deletes
local firstEvent = firstId + count

local known = redis.call('HMGET', head, 'sequence', 'window', 'windowAt')
local sequence = math.max(tonumber(known[1] or '0'), tonumber(ARGV[3]))
local window = tonumber(known[2] or '0')
if not known[3] or now - tonumber(known[3]) >= tonumber(ARGV[5])
    or redis.call('SCARD', KEYS[4 + window]) >= tonumber(ARGV[6]) then
  window = 1 - window
  redis.call('UNLINK', KEYS[4 + window])
  redis.call('HSET', head, 'window', window, 'windowAt', now)
end

local answer = {'OK', sequence + 1}
if count > 0 then
  local newer, older = KEYS[4 + window], KEYS[5 - window]
  local inNewer = redis.call('SMISMEMBER', newer, unpack(ARGV, firstId, firstEvent - 1))
  local inOlder = redis.call('SMISMEMBER', older, unpack(ARGV, firstId, firstEvent - 1))
  local here, messages = {}, {}
  for i = 1, count do
    local id = ARGV[firstId + i - 1]
    if inNewer[i] == 1 or inOlder[i] == 1 or here[id] then
      answer[i + 2] = ''
    else
      here[id] = true
      sequence = sequence + 1
      local event = ARGV[firstEvent + i - 1]
      local entry = redis.call('XADD', stream, '*', 's', sequence, 'e', event)
      answer[i + 2] = entry
      messages[#messages + 1] = entry .. ' ' .. string.format('%d', sequence) .. ' ' .. event
    end
  end
  if #messages > 0 then
    redis.call('SADD', newer, unpack(ARGV, firstId, firstEvent - 1))
    redis.call('PEXPIRE', newer, 2 * ARGV[5])
    redis.call('SPUBLISH', KEYS[7], table.concat(messages, '\\n'))
  end
end
redis.call('HSET', head, 'sequence', sequence)
redis.call('PEXPIRE', head, ARGV[7])

if deletes > 0 then redis.call('HDEL', state, unpack(ARGV, firstDelete, firstId - 1)) end
if sets > 0 then redis.call('HSET', state, unpack(ARGV, firstSet, firstDelete - 1)) end
if sets > 0 or deletes > 0 then redis.call('PEXPIRE', state, ${STATE_MEMORY_MS}) end
return answer
`;
