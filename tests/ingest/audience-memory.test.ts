import { describe, expect, it } from 'vitest';
import { AudienceMemory, PEOPLE_REMEMBERED_MAX } from '../../src/ingest/normalise/audience-memory.ts';
import { eventUser } from './support/webcast-room.ts';

describe('the memory of a session’s people', () => {
  it('[T-D1] forgets who was met first when it is full', () => {
    const memory = new AudienceMemory();
    for (let id = 1; id <= PEOPLE_REMEMBERED_MAX + 2; id++) memory.meet(eventUser(String(id)), true);
    expect([memory.find('1'), memory.find('2'), memory.find('3')?.userId]).toEqual([null, null, '3']);
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
