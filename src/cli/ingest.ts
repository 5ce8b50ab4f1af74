import { partCommand } from './process.ts';
import { configuredHosts, startRooms } from './services.ts';

/** `tallylight ingest`: connections to rooms. */
export const ingestCommand = partCommand({
  name: 'ingest',
  summary: 'connect to rooms and put their events on the bus',
  description:
    'Keeps a connection to the room of every channel that somebody wants connected. A room is held by one process at a time;\n' +
    'another takes over when that one dies.',
  begin: async (parts, foundation, { config }) => {
    await startRooms(parts, foundation, { config, hostsFor: () => configuredHosts(config) });
    return 'Ingest runs. Stop with Ctrl-C.';
  },
});
