import { expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { waitFor } from '../support/wait.ts';
import { connectClient } from './connector.ts';

it('lets the stock connector connect and receive chat, gift and like', async () => {
  const simulator = await startSimulator({ clock: systemClock, logger: createLogger('silent'), seed: 1 });
  const client = await connectClient(simulator);
  const room = simulator.room();
  await waitFor(() => room.viewers === 1);
  const user = { id: '7000000000000000001', displayId: 'ada', nickname: 'Ada' };
  await room.send('WebcastChatMessage', { user, content: 'hello' });
  await room.send('WebcastGiftMessage', {
    user,
    giftId: '900001',
    repeatCount: 3,
    groupId: '17',
    gift: { id: '900001', name: 'Pebble', type: 1, diamondCount: 1 },
  });
  await room.send('WebcastLikeMessage', { user, count: 15, total: '90961' });
  await waitFor(() => client.received.length === 3);
  expect(client.received.map((m) => m.type)).toEqual([
    'WebcastChatMessage',
    'WebcastGiftMessage',
    'WebcastLikeMessage',
  ]);
  expect(client.received[0]?.data).toMatchObject({ content: 'hello', user });
  expect(client.errors).toEqual([]);
  await client.connection.disconnect();
  await simulator.stop();
});
