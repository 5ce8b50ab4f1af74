import { createEulerClient, SignConfig, TikTokLiveConnection } from 'tiktok-live-connector';
import { type ProcessLoad, watchProcessLoad } from '../support/process-load.ts';

/**
 * The peer: the stock connector, which decodes every message and drops it. Nothing of ours but the address it connects to.
 */
export type ReaderCommand =
  | { readonly kind: 'EXPECT'; readonly messages: number }
  | { readonly kind: 'STOP' };
/** The pipeline is told when a round begins and asked for its load at its end: the bench itself looks at the rows. */
export type PipelineCommand = ReaderCommand | { readonly kind: 'LOAD' };
export type ReaderReport =
  | { readonly kind: 'CONNECTED' }
  | { readonly kind: 'READ'; readonly load: ProcessLoad };

const [webHost = '', signUrl = '', handle = ''] = process.argv.slice(2);
SignConfig.basePath = signUrl;
const connection = new TikTokLiveConnection(handle, {
  eulerApiInstance: createEulerClient(),
  webConfigOverrides: { TIKTOK_HOST_WEB: webHost, TIKTOK_HOST_WEBCAST: webHost },
});
// 2.4.0 takes https for loopback hosts; the method is protected, so it is replaced as a property.
Object.defineProperty(connection.webClient, 'getBaseUrl', { value: (host: string) => `http://${host}` });

let missing = Number.POSITIVE_INFINITY;
const load = watchProcessLoad();
const report = (message: ReaderReport) => process.send?.(message);
// The connector's types lose the emitter's own `on` under this module resolution.
(connection as unknown as NodeJS.EventEmitter).on('decodedData', () => {
  missing -= 1;
  if (missing === 0) report({ kind: 'READ', load: load() });
});
process.on('message', (command: ReaderCommand) => {
  if (command.kind === 'STOP') {
    process.disconnect();
    return;
  }
  missing = command.messages;
  load();
});
process.once('disconnect', () => void connection.disconnect());
await connection.connect();
report({ kind: 'CONNECTED' });
