/** KEYS 1 members; ARGV 1 member, 2 ttl ms. Answers how many members live, and this one's place among them from 0. */
export const BEAT_MEMBER_SCRIPT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], 10 * ARGV[2])
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(members)
local place = 0
for i, member in ipairs(members) do
  if member == ARGV[1] then place = i - 1 end
end
return {#members, place}
`;

/**
 * KEYS 1 stream; ARGV 1 group. Answers how many entries the group has not acknowledged, and the oldest one's age in
 * milliseconds by the time of Redis.
 */
export const GROUP_LAG_SCRIPT = `
if redis.call('EXISTS', KEYS[1]) == 0 then return {0, 0} end
local pending, unread, oldest, from = 0, redis.call('XLEN', KEYS[1]), nil, '-'
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
  if group['name'] == ARGV[1] then
    pending = group['pending']
    if group['lag'] then unread = group['lag'] end
    from = '(' .. group['last-delivered-id']
    if pending > 0 then oldest = redis.call('XPENDING', KEYS[1], ARGV[1])[2] end
  end
end
if not oldest then
  local first = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)
  if first[1] then oldest = first[1][1] end
end
if not oldest then return {pending + unread, 0} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return {pending + unread, math.max(0, now - tonumber(string.match(oldest, '%d+')))}
`;

/**
 * KEYS 1 stream; ARGV 1 group, 2 consumer. Forgets the group's other consumers that hold nothing: names of processes that
 * are gone. One step, so that none of them can be given an entry in between.
 */
export const FORGET_CONSUMERS_SCRIPT = `
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  if consumer['name'] ~= ARGV[2] and consumer['pending'] == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer['name'])
  end
end
return 1
`;
