import { describe, expect, it } from 'vitest';
import { AudienceMemory, PEOPLE_REMEMBERED_MAX } from '../../../src/ingest/normalise/audience-memory.ts';
import { eventUser } from '../support/webcast-room.ts';

describe('the memory of a session’s people', () => {
  it('[T-D1] forgets who was met first when it is full', () => {
    const memory = new AudienceMemory();
    const meet = (id: number) => memory.meet(eventUser(String(id)), true);
    for (let id = 1; id <= PEOPLE_REMEMBERED_MAX; id++) meet(id);
    expect(memory.find('1')?.userId).toBe('1');
    meet(PEOPLE_REMEMBERED_MAX + 1);
    expect(['1', '500', '501', '5001'].map((id) => memory.find(id)?.userId ?? null)).toEqual([
      null,
      null,
      '501',
      '5001',
    ]);
  });

  it('fills in what a message leaves out, and lets it change what it says', () => {
    const memory = new AudienceMemory();
    memory.meet({ ...eventUser('11'), followRole: 'FRIEND' }, true);
    const blank = { ...eventUser('11'), uniqueId: '', displayName: '', avatarUrl: null };
    expect(memory.meet({ ...blank, followRole: 'FOLLOWER' }, false)).toEqual({
      ...eventUser('11'),
      followRole: 'FRIEND',
    });
    const renamed = { ...eventUser('11'), uniqueId: 'renamed', avatarUrl: 'https://p16.example/new.webp' };
    expect(memory.meet(renamed, true)).toEqual(renamed);
  });
});
