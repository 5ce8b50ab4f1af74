import { holderKey, type Viewer } from '../auth/viewer.ts';
import { quotaOf } from '../clients/client-key.ts';
import { addressBlock } from '../limits/address.ts';
import type { Deposits } from '../limits/deposits.ts';
import { RateLimitedError } from '../limits/errors.ts';
import type { BucketRule, Limiter } from '../limits/limiter.ts';
import { OPERATION_COST_MAX } from './limits.ts';

/** The buckets that operations are paid from. */
export interface CostRules {
  /** Of each user, client, overlay key and the operator. */
  readonly known: BucketRule;
  /** Of each address, for those who sent no credential. */
  readonly anonymous: BucketRule;
}

/** The rules of an installation: strangers share by address, and get a fifth at once and a tenth in the long run. */
export function costRulesOf(points: number, pointsPerSecond: number): CostRules {
  return {
    known: { capacity: points, restorePerSecond: pointsPerSecond },
    anonymous: {
      capacity: Math.max(OPERATION_COST_MAX, points / 5),
      restorePerSecond: pointsPerSecond / 10,
    },
  };
}

/** What every answer says about its cost, as `extensions.cost` and as `RateLimit-*` headers. Points. */
export interface CostReport {
  /** What the operation costs. */
  readonly requested: number;
  /** What a full bucket holds. */
  readonly limit: number;
  readonly remaining: number;
  readonly restorePerSecond: number;
}

/** Whether the operation is paid for. */
export interface Charge {
  readonly report: CostReport;
  /** Null when it may run. */
  readonly refusal: RateLimitedError | null;
}

/** Who asks, and from where. */
export interface Asker {
  readonly viewer: Viewer;
  readonly address: string | null;
}

/** The bucket that somebody pays from. */
export interface Payer {
  readonly key: string;
  readonly rule: BucketRule;
}

/** Whose bucket pays for what the asker asks. */
export function payerOf({ viewer, address }: Asker, rules: CostRules): Payer {
  return viewer.kind === 'ANONYMOUS'
    ? { key: `cost address ${addressBlock(address)}`, rule: rules.anonymous }
    : { key: `cost ${holderKey(viewer)}`, rule: ruleOf(viewer, rules.known) };
}

/** Takes an operation's cost, at least one point, out of the asker's bucket. */
export async function chargeOperation(
  deps: {
    readonly limiter: Pick<Limiter, 'consume'>;
    readonly deposits: Deposits;
    readonly rules: CostRules;
  },
  asker: Asker,
  requested: number,
): Promise<Charge> {
  const payer = payerOf(asker, deps.rules);
  const consumption = await deps.limiter.consume(payer.key, Math.max(1, requested), payer.rule);
  deps.deposits.noteShared(payer, consumption);
  const { rule, remaining } = consumption;
  return {
    report: { requested, limit: rule.capacity, remaining, restorePerSecond: rule.restorePerSecond },
    refusal: consumption.allowed ? null : new RateLimitedError(consumption.retryAfterSeconds),
  };
}

/** A client may be held to less than others. Its owner says so, who cannot grant what the installation does not. */
function ruleOf(viewer: Viewer, known: BucketRule): BucketRule {
  const perMinute = quotaOf(viewer);
  if (perMinute === null) return known;
  return {
    capacity: Math.min(known.capacity, perMinute),
    restorePerSecond: Math.min(known.restorePerSecond, perMinute / 60),
  };
}

/** The headers that say the same. `RateLimit-Reset` is the number of seconds until the bucket is full. */
export function costHeaders({ report, refusal }: Charge): readonly (readonly [string, string])[] {
  const { limit, remaining, restorePerSecond } = report;
  return [
    ['ratelimit-limit', String(Math.floor(limit))],
    ['ratelimit-remaining', String(remaining)],
    ['ratelimit-reset', String(Math.ceil((limit - remaining) / restorePerSecond))],
    ...(refusal === null ? [] : [['retry-after', String(refusal.retryAfterSeconds)] as const]),
  ];
}
