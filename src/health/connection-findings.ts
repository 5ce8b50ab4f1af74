import type { PipelineChannel, PipelineFacts } from '../db/pipeline-health.ts';
import { type Finding, failing, ok, unknown, warning } from './pipeline-link.ts';

/** A live room says something about every 2 s (viewer counts): silence this long means that nothing arrives. Milliseconds. */
const QUIET_MS = 60_000;

/** Whether the provider talks to us, as the channel's last connection attempts tell. */
export function providerFinding(channel: PipelineChannel, nowMs: number): Finding {
  const state = channel.connection?.state;
  if (state === 'BLOCKED') {
    return failing(
      `${channel.provider} or the sign service refuses us${because(channel)}.`,
      'Wait: Tallylight tries again by itself, rarely. If it stays, use another address or a sign key of your own (TIKTOK_SIGN_KEY).',
    );
  }
  if (state === 'RECONNECTING') {
    return warning(
      `the connection was lost${because(channel)}${nextAttempt(channel, nowMs)}.`,
      'Check the internet connection if this stays; Tallylight reconnects by itself.',
    );
  }
  if (state === undefined || state === 'STOPPED')
    return unknown('nothing is connected, so nothing was asked.');
  return ok(
    `${channel.provider} answers${channel.simulated ? ' (it is the simulator, not the real thing)' : ''}.`,
  );
}

/** Whether the sign service lets us sign. */
export function signFinding(facts: PipelineFacts, channel: PipelineChannel, nowMs: number): Finding {
  if (facts.signBlockedUntil === null) return ok('the sign service has refused nothing lately.');
  const seconds = Math.ceil((facts.signBlockedUntil - nowMs) / 1000);
  const detail = `the sign service refuses a key for another ${seconds} s (${new Date(facts.signBlockedUntil).toISOString()}): its limit is used up.`;
  const advice =
    'Wait until then, lower TIKTOK_SIGN_RATE_PER_MINUTE, or use a key with a higher limit (TIKTOK_SIGN_KEY).';
  // An open connection needs no signature any more.
  return channel.connection?.state === 'LIVE' ? warning(detail, advice) : failing(detail, advice);
}

/** Where the channel's connection to its room stands. */
export function roomFinding(channel: PipelineChannel, nowMs: number): Finding {
  const handle = `@${channel.handle}`;
  const { connection } = channel;
  if (!channel.wanted) {
    return failing(
      `nobody wants ${handle} connected.`,
      'Connect it: the mutation channelConnect, or `tallylight start @handle`.',
    );
  }
  if (connection === null || connection.state === 'STOPPED') {
    return failing(
      `${handle} is wanted, and no ingest worker has taken it.`,
      'Start one: `tallylight start` or `tallylight ingest`. If one runs, look at its log.',
    );
  }
  const since = `since ${new Date(connection.since).toISOString()}`;
  switch (connection.state) {
    case 'LIVE':
      return ok(`connected to the room of ${handle} ${since}.`);
    case 'CONNECTING':
      return warning(`connecting to ${handle} ${since}.`, 'This takes a few seconds; ask again.');
    case 'STALLED':
      return warning(
        `connected to ${handle} but nothing has come ${since}.`,
        'Tallylight opens a new connection by itself; the gap is recorded.',
      );
    case 'RECONNECTING':
      return warning(
        `reconnecting to ${handle}${because(channel)}${nextAttempt(channel, nowMs)}.`,
        'Tallylight does this by itself; the gap is recorded.',
      );
    case 'OFFLINE':
      return failing(
        `${handle} is not live${because(channel)}${nextAttempt(channel, nowMs)}.`,
        'Go live, or check the handle. Tallylight notices by itself.',
      );
    case 'ENDED':
      return failing(
        `the stream of ${handle} is over${nextAttempt(channel, nowMs)}.`,
        'Tallylight notices the next one by itself.',
      );
    case 'SUSPENDED':
      return failing(
        `${channel.provider} suspended the stream of ${handle}${because(channel)}.`,
        'Look into the TikTok app for the reason.',
      );
    case 'BLOCKED':
      return failing(
        `we are refused${because(channel)}${nextAttempt(channel, nowMs)}.`,
        'See the links above.',
      );
    default:
      return connection.state satisfies never;
  }
}

/** Whether events come out of the room. `busSequence`: the highest sequence given out, null when not known. */
export function eventsFinding(channel: PipelineChannel, busSequence: number | null, nowMs: number): Finding {
  if (busSequence !== null && busSequence > channel.storedSequence) {
    return ok(`event ${busSequence} has arrived, newer than what is stored.`);
  }
  const live = channel.connection?.state === 'LIVE';
  if (channel.lastEventAt === null) {
    return live
      ? warning(
          'connected, but no event has come yet.',
          'Wait a few seconds; a live room says something every 2 s.',
        )
      : failing('no event has ever come.', 'See the links above.');
  }
  const age = Math.max(0, Math.round((nowMs - channel.lastEventAt) / 1000));
  const detail = `the newest event is ${age} s old.`;
  if (age * 1000 <= QUIET_MS) return ok(detail);
  return live
    ? warning(detail, 'A live room says something every 2 s: the connection is about to count as stalled.')
    : failing(detail, 'See the links above.');
}

function because(channel: PipelineChannel): string {
  const reason = channel.connection?.reason;
  return reason ? ` (${reason.replace(/\.$/, '')})` : '';
}

function nextAttempt(channel: PipelineChannel, nowMs: number): string {
  const retryAt = channel.connection?.retryAt ?? null;
  if (retryAt === null) return '';
  return `; next look in ${Math.max(0, Math.ceil((retryAt - nowMs) / 1000))} s`;
}
