import type { Transaction } from 'kysely';
import {
  insertMemberHandles,
  insertMembers,
  type MemberHandleRow,
  type MemberProfileRow,
  type NewMemberRow,
  selectKnownMembers,
  touchMembers,
  updateMemberProfiles,
} from '../../db/audience-member.ts';
import type { Database } from '../../db/connect.ts';
import { deleteSubjectKeys } from '../../db/subject-key.ts';
import { assert } from '../../lib/assert.ts';
import type { Clock } from '../../lib/clock.ts';
import { type MemberId, newId } from '../../lib/ids.ts';
import { createPacer } from '../../lib/pacer.ts';
import { type SubjectId, sealContext } from '../../privacy/context.ts';
import { type DataKey, seal } from '../../privacy/envelope.ts';
import type { Vault } from '../../privacy/vault.ts';
import { profileFingerprint, profileText } from '../member-profile.ts';
import type { Appearance, MemberPlan, Newcomer } from './members.ts';

/** Members sealed (two hashes, two seals) in one turn of the event loop, at some 60 µs each. */
const SEALS_PER_TURN = 80;

interface WriteDeps {
  readonly vault: Vault;
  readonly clock: Clock;
}

/**
 * Writes what a plan says about people, and completes the plan's ids. `keys` holds the keys of the known ones.
 * Returns the keys of the newcomers.
 */
export async function writeMembers(
  deps: WriteDeps,
  tx: Transaction<Database>,
  plan: MemberPlan,
  keys: ReadonlyMap<SubjectId, DataKey>,
): Promise<ReadonlyMap<SubjectId, DataKey>> {
  const newKeys = plan.added.length > 0 ? await addMembers(deps, tx, plan) : new Map<SubjectId, DataKey>();
  if (plan.changed.length > 0) await changeMembers(deps, tx, plan, keys);
  if (plan.touched.length > 0) await touchMembers(tx, plan.touched);
  return newKeys;
}

async function addMembers(
  deps: WriteDeps,
  tx: Transaction<Database>,
  plan: MemberPlan,
): Promise<ReadonlyMap<SubjectId, DataKey>> {
  const { clock, vault } = deps;
  const newcomers = new Map(plan.added.map((newcomer) => [newId('member', clock.nowMs()), newcomer]));
  const keys = await vault.dataKeys([...newcomers.keys()], { create: true }, tx);
  const rows: NewMemberRow[] = [];
  const handles: MemberHandleRow[] = [];
  const pacer = createPacer(SEALS_PER_TURN);
  for (const [id, { appearance, locator }] of newcomers) {
    const key = keys.get(id);
    assert(key !== undefined, 'a newcomer was given a key');
    const row = profileRow(deps, key, id, appearance);
    rows.push({ ...row, ...locator, firstSeenAt: appearance.firstSeenAt });
    handles.push(...handleRows(key, row, appearance));
    await pacer.spend();
  }
  const stored = await insertMembers(tx, rows);
  for (const id of stored) {
    const newcomer = newcomers.get(id);
    if (newcomer !== undefined) plan.ids.set(newcomer.appearance.place, id);
  }
  await insertMemberHandles(
    tx,
    handles.filter((handle) => stored.has(handle.memberId)),
  );
  if (stored.size === newcomers.size) return keys;
  return new Map([...keys, ...(await yieldToFaster(deps, tx, plan, newcomers))]);
}

/** Somebody else stored these people meanwhile: theirs are the members, and our keys for them are for nobody. */
async function yieldToFaster(
  deps: WriteDeps,
  tx: Transaction<Database>,
  plan: MemberPlan,
  newcomers: ReadonlyMap<MemberId, Newcomer>,
): Promise<ReadonlyMap<SubjectId, DataKey>> {
  const lost = [...newcomers].filter(([, { appearance }]) => !plan.ids.has(appearance.place));
  await deleteSubjectKeys(
    tx,
    lost.map(([id]) => id),
  );
  const known = await selectKnownMembers(
    tx,
    lost.map(([, newcomer]) => newcomer.locator),
  );
  const ids: MemberId[] = [];
  lost.forEach(([, { appearance }], place) => {
    const member = known.get(place);
    assert(member !== undefined, 'who was in the way of an insert can be read');
    plan.ids.set(appearance.place, member.id);
    ids.push(member.id);
  });
  return deps.vault.dataKeys(ids, { create: false }, tx);
}

async function changeMembers(
  deps: WriteDeps,
  tx: Transaction<Database>,
  plan: MemberPlan,
  keys: ReadonlyMap<SubjectId, DataKey>,
): Promise<void> {
  const rows: MemberProfileRow[] = [];
  const handles: MemberHandleRow[] = [];
  const pacer = createPacer(SEALS_PER_TURN);
  for (const { appearance, id } of plan.changed) {
    const key = keys.get(id);
    if (key === undefined) continue; // erased meanwhile: nothing about them is written any more
    const row = profileRow(deps, key, id, appearance);
    rows.push(row);
    handles.push(...handleRows(key, row, appearance));
    await pacer.spend();
  }
  if (rows.length === 0) return;
  await updateMemberProfiles(tx, rows);
  if (handles.length > 0) await insertMemberHandles(tx, handles);
}

function profileRow(deps: WriteDeps, key: DataKey, id: MemberId, appearance: Appearance): MemberProfileRow {
  const { channelId, user, lastSeenAt } = appearance;
  return {
    id,
    handleHash: deps.vault.handleHash({ channelId, handle: user.uniqueId }),
    profile: seal(key, sealContext.profile(id), profileText(user)),
    profileHash: deps.vault.profileHash({ channelId, profile: profileFingerprint(user) }),
    followRole: user.followRole,
    isModerator: user.isModerator,
    isSubscriber: user.isSubscriber,
    teamMemberLevel: user.teamMemberLevel,
    lastSeenAt,
  };
}

/** The handle for the member's history; none when no event has shown one yet. */
function handleRows(key: DataKey, row: MemberProfileRow, appearance: Appearance): readonly MemberHandleRow[] {
  const { uniqueId } = appearance.user;
  if (uniqueId === '') return [];
  const { id, handleHash } = row;
  const handle = seal(key, sealContext.handle(id, handleHash), uniqueId);
  return [{ memberId: id, handleHash, handle, firstSeenAt: appearance.firstSeenAt }];
}
