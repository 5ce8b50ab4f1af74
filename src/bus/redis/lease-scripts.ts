/**
 * Leases: a hash of owner, epoch and expiry, by the time of Redis. It outlives its holder for a day, so that an append by
 * a former one is refused by what is there; when it is gone the append is refused as well. Epochs are at least the time in
 * milliseconds, so they rise even after Redis lost its data.
 *
 * With a second key they are leases on a shard's stream for a group: the group is then noted as a reader of the shard.
 */

/** How long a lease is remembered after its last renewal, in milliseconds. */
const LEASE_MEMORY_MS = 24 * 60 * 60 * 1_000;

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** KEYS 1 lease, 2 readers (optional); ARGV 1 owner, 2 ttl ms, 3 group. Answers the epoch, or 0 when somebody else holds it. */
export const ACQUIRE_LEASE_SCRIPT = `
${NOW}
local held = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'until')
if held[1] and held[1] ~= ARGV[1] and tonumber(held[3]) > now then return '0' end
local epoch = string.format('%d', math.max(tonumber(held[2] or '0') + 1, now))
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', epoch, 'until', now + ARGV[2])
redis.call('PEXPIRE', KEYS[1], ${LEASE_MEMORY_MS} + ARGV[2])
if KEYS[2] then redis.call('ZADD', KEYS[2], now, ARGV[3]) end
return epoch
`;

/** KEYS 1 lease, 2 readers (optional); ARGV 1 owner, 2 ttl ms, 3 group, 4 epoch. Answers 1, or 0 when it has been lost. */
export const RENEW_LEASE_SCRIPT = `
${NOW}
local held = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], 'until', now + ARGV[2])
redis.call('PEXPIRE', KEYS[1], ${LEASE_MEMORY_MS} + ARGV[2])
if KEYS[2] then redis.call('ZADD', KEYS[2], now, ARGV[3]) end
return 1
`;

/** KEYS 1 lease; ARGV 1 owner, 2 epoch. The epoch stays, so the former holder's appends stay refused. */
export const RELEASE_LEASE_SCRIPT = `
local held = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if held[1] == ARGV[1] and held[2] == ARGV[2] then redis.call('HDEL', KEYS[1], 'owner', 'until') end
return 1
`;
