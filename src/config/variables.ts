import {
  choice,
  flag,
  logLevel,
  networks,
  oidcProviders,
  origins,
  secretText,
  secretUrl,
  secureUrl,
  text,
  url,
  type Variable,
  wholeNumber,
} from './variable.ts';

const DAY_MS = 86_400_000;

const SERVERS = 'Servers and data';
const API = 'API';
const SIGN_IN = 'Sign-in';
const EXTERNAL = 'Sign-in by others';
const MAIL = 'Mail';
const TIKTOK = 'TikTok';
const INGEST = 'Ingest';
const BUS = 'Event bus';
const STORAGE = 'Database and storage';
const PROCESS = 'Process';

/** `host` or `host:port`; no scheme, no path. */
const HOST_PATTERN = /^[a-z0-9.-]{1,253}(:\d{1,5})?$/i;
const HOST_ALLOWED = 'a host name, with a port if need be, such as www.tiktok.com or 127.0.0.1:8080';

const PATH_PATTERN = /^[^\0]{1,4096}$/;
const PATH_ALLOWED = 'a path';

/** A word that may stand in Redis keys and group names. */
const PREFIX_PATTERN = /^[a-z0-9_-]{1,32}$/;
const PREFIX_ALLOWED = '1 to 32 of the characters a-z, 0-9, _ and -';

/** Visible ASCII without spaces: what a header can carry. */
const TOKEN_PATTERN = /^[\x21-\x7e]{16,512}$/;
const TOKEN_ALLOWED = '16 to 512 visible ASCII characters without spaces';

/**
 * Every environment variable that Tallylight reads: the one table behind the parser, `.env.example` and
 * `docs/configuration.md`. Durations and sizes carry their unit at the end of the name.
 */
export const VARIABLES = {
  DATABASE_URL: secretUrl({
    section: SERVERS,
    description:
      'PostgreSQL 15 to 18 to use. Unset: `start` runs its own PostgreSQL in the data folder. `api`, `ingest` and `worker` need it.',
    defaultText: null,
    protocols: ['postgres:', 'postgresql:'],
  }),
  REDIS_URL: secretUrl({
    section: SERVERS,
    description:
      'Redis 7 or Valkey to use as the event bus, by TLS with rediss://; nodes of a cluster are separated by commas. Unset: `start` uses an in-process bus. `api`, `ingest` and `worker` need it.',
    defaultText: null,
    protocols: ['redis:', 'rediss:'],
    several: true,
  }),
  TALLYLIGHT_REDIS_CA_FILE: text({
    section: SERVERS,
    description:
      'PEM file of the authority that signed the certificate of a rediss:// server. Unset: the authorities that Node knows.',
    defaultText: null,
    allowed: PATH_ALLOWED,
    pattern: PATH_PATTERN,
  }),
  TALLYLIGHT_REDIS_CERT_FILE: text({
    section: SERVERS,
    description: 'PEM file of our own certificate, for a rediss:// server that asks its clients for one.',
    defaultText: null,
    allowed: PATH_ALLOWED,
    pattern: PATH_PATTERN,
  }),
  TALLYLIGHT_REDIS_KEY_FILE: text({
    section: SERVERS,
    description: 'PEM file of the private key of `TALLYLIGHT_REDIS_CERT_FILE`.',
    defaultText: null,
    allowed: PATH_ALLOWED,
    pattern: PATH_PATTERN,
  }),
  TALLYLIGHT_DATA_DIR: text({
    section: SERVERS,
    description: 'Folder for the embedded database and the master key file. Kept between runs; back it up.',
    defaultText: './data',
    allowed: PATH_ALLOWED,
    pattern: PATH_PATTERN,
  }),
  TALLYLIGHT_MASTER_KEY: secretText({
    section: SERVERS,
    description:
      'The key that wraps every data key and from which access keys are derived. Unset: made once and kept in the data folder. Lose it and personal data is unreadable for good.',
    defaultText: null,
    allowed: '32 bytes in base64 (44 characters), for example from: openssl rand -base64 32',
    pattern: /^[A-Za-z0-9+/]{43}=$/,
  }),

  TALLYLIGHT_HOST: text({
    section: API,
    description:
      'Address the API listens on. Anything but loopback needs TLS: `TLS_CERT_FILE`, or a proxy that speaks it.',
    defaultText: '127.0.0.1',
    allowed: 'a host name or an address',
    pattern: /^[a-z0-9.:_-]{1,253}$/i,
  }),
  TALLYLIGHT_PORT: wholeNumber({
    section: API,
    description: 'Port the API listens on; 0 takes any free one.',
    defaultText: '4400',
    min: 0,
    max: 65_535,
  }),
  TLS_CERT_FILE: text({
    section: API,
    description:
      'PEM file of the certificate chain the API speaks TLS 1.3 with, together with `TLS_KEY_FILE`. Read again on SIGHUP. Unset: in the clear.',
    defaultText: null,
    allowed: PATH_ALLOWED,
    pattern: PATH_PATTERN,
  }),
  TLS_KEY_FILE: text({
    section: API,
    description: 'PEM file of the private key, without a passphrase, of the certificate in `TLS_CERT_FILE`.',
    defaultText: null,
    allowed: PATH_ALLOWED,
    pattern: PATH_PATTERN,
  }),
  TALLYLIGHT_PUBLIC_URL: url({
    section: API,
    description:
      'How others reach the API, for the addresses it prints and hands out. Unset: made from host and port.',
    defaultText: null,
    protocols: ['http:', 'https:'],
  }),
  TALLYLIGHT_ALLOWED_ORIGINS: origins({
    section: API,
    description: 'Web pages of other origins that may call the API. Its own pages always may.',
    defaultText: '',
  }),
  TALLYLIGHT_TRUSTED_PROXIES: networks({
    section: API,
    description:
      'Proxies before the API whose X-Forwarded-For says where a request came from. Unset: nobody is believed.',
    defaultText: '',
  }),
  TALLYLIGHT_COST_POINTS: wholeNumber({
    section: API,
    description:
      'Points that the operations of a user, a client key or an overlay key may cost at once. An operation costs up to 2000.',
    defaultText: '10000',
    min: 2_000,
    max: 100_000_000,
  }),
  TALLYLIGHT_COST_POINTS_PER_SECOND: wholeNumber({
    section: API,
    description: 'Points that come back per second: what they may cost in the long run.',
    defaultText: '500',
    min: 1,
    max: 10_000_000,
  }),
  TALLYLIGHT_OPERATION_DEADLINE_MS: wholeNumber({
    section: API,
    description: 'An operation that takes longer than this is given up.',
    defaultText: '10000',
    min: 100,
    max: 600_000,
  }),
  TALLYLIGHT_FREE_FORM: choice({
    section: API,
    description:
      'Who may send GraphQL documents of their own beside registered operations. `trusted`: administrators, owners of a channel, the operator, and in development every person. `development`: every person, in development only. `anybody`: every person. `never`: nobody. Integrators and overlays never may.',
    defaultText: 'trusted',
    words: ['trusted', 'development', 'anybody', 'never'],
  }),
  TALLYLIGHT_METRICS_TOKEN: secretText({
    section: API,
    description:
      'Bearer token that opens /metrics beside the operator key, so that a scraper needs nothing more.',
    defaultText: null,
    allowed: TOKEN_ALLOWED,
    pattern: TOKEN_PATTERN,
  }),

  TALLYLIGHT_SESSION_STORE: choice({
    section: SIGN_IN,
    description:
      'What keeps sign-in sessions: the lucia library, or our own code without it. Both use the same table, so changing it signs nobody out.',
    defaultText: 'lucia',
    words: ['lucia', 'native'],
  }),
  TALLYLIGHT_SESSION_IDLE_MINUTES: wholeNumber({
    section: SIGN_IN,
    description: 'A sign-in session that is not used for this long ends.',
    defaultText: '10080',
    min: 5,
    max: 525_600,
  }),
  TALLYLIGHT_SESSION_MAX_MINUTES: wholeNumber({
    section: SIGN_IN,
    description: 'A sign-in session ends after this long, however much it is used.',
    defaultText: '43200',
    min: 5,
    max: 525_600,
  }),

  TALLYLIGHT_OIDC_PROVIDERS: oidcProviders({
    section: EXTERNAL,
    description: 'Providers of OpenID Connect that people may sign in with. See docs/external-identity.md.',
    defaultText: '[]',
  }),
  TALLYLIGHT_CLERK_ISSUER: secureUrl({
    section: EXTERNAL,
    description:
      'Address of the front-end API of a Clerk application, as its session tokens name it (`iss`). Unset: nobody signs in by Clerk.',
    defaultText: null,
  }),
  TALLYLIGHT_CLERK_SECRET_KEY: secretText({
    section: EXTERNAL,
    description: "Opens Clerk's API, which is asked who somebody is before an account is made for them.",
    defaultText: null,
    allowed: TOKEN_ALLOWED,
    pattern: TOKEN_PATTERN,
  }),
  TALLYLIGHT_CLERK_AUTHORIZED_PARTIES: origins({
    section: EXTERNAL,
    description: 'Pages whose session tokens are taken (`azp`): where our own pages are, and no others.',
    defaultText: '',
  }),
  TALLYLIGHT_CLERK_JWT_KEY: secretText({
    section: EXTERNAL,
    description:
      'Public key that session tokens are signed with, so that Clerk need not be asked for it. Line breaks may be written as \\n.',
    defaultText: null,
    allowed: 'an RSA public key of 2048 bits in PEM (BEGIN PUBLIC KEY)',
    pattern:
      /^-----BEGIN PUBLIC KEY-----(?:\s|\\n)*MIIBIjAN[A-Za-z0-9+/=\s\\]+-----END PUBLIC KEY-----(?:\s|\\n)*$/,
  }),
  TALLYLIGHT_CLERK_WEBHOOK_SECRET: secretText({
    section: EXTERNAL,
    description: 'What webhooks to /webhooks/clerk are signed with. Unset: none are taken.',
    defaultText: null,
    allowed: 'whsec_ and base64',
    pattern: /^whsec_[A-Za-z0-9+/]{32,200}={0,2}$/,
  }),
  TALLYLIGHT_CLERK_PUBLISHABLE_KEY: text({
    section: EXTERNAL,
    description: "What Clerk's scripts in our pages begin with. Public: `signInProviders` tells it.",
    defaultText: null,
    allowed: 'pk_ and up to 300 letters, digits and _ $ = + / -',
    pattern: /^pk_[A-Za-z0-9_$=+/-]{1,300}$/,
  }),
  TALLYLIGHT_CLERK_API_URL: secureUrl({
    section: EXTERNAL,
    description: "Where Clerk's API is.",
    defaultText: 'https://api.clerk.com',
  }),
  TALLYLIGHT_CLERK_OPENS_ACCOUNTS: flag({
    section: EXTERNAL,
    description:
      'Whether somebody from Clerk whom nobody knows here gets an account, if Clerk says that their e-mail address is verified.',
    defaultText: 'true',
  }),

  TALLYLIGHT_SMTP_URL: secretUrl({
    section: MAIL,
    description:
      'The mail server, with user and password if it wants them. Anything but loopback must speak TLS. Unset: mails are written into `mail` in the data folder, one file each.',
    defaultText: null,
    protocols: ['smtp:', 'smtps:'],
  }),
  TALLYLIGHT_MAIL_FROM: text({
    section: MAIL,
    description: 'The sender of mails.',
    defaultText: 'Tallylight <tallylight@localhost>',
    allowed: 'an address, perhaps with a name before it, such as Tallylight <no-reply@example.org>',
    pattern: /^[^\r\n]{0,200}[^\s@<>]+@[^\s@<>]+>?$/,
  }),

  TIKTOK_PROVIDER: choice({
    section: TIKTOK,
    description:
      'How rooms are found and connections are signed: `direct` asks TikTok for the room itself, `euler` asks the sign service for all of it.',
    defaultText: 'direct',
    words: ['direct', 'euler'],
  }),
  TIKTOK_SIGN_URL: url({
    section: TIKTOK,
    description: 'Base address of the sign service.',
    defaultText: 'https://api.eulerstream.com',
    protocols: ['http:', 'https:'],
  }),
  TIKTOK_SIGN_KEY: secretText({
    section: TIKTOK,
    description:
      'Your key at the sign service. Unset: its anonymous tier, which allows only a few connections.',
    defaultText: null,
    allowed: '8 to 512 visible ASCII characters without spaces',
    pattern: /^[\x21-\x7e]{8,512}$/,
  }),
  TIKTOK_SIGN_RATE_PER_MINUTE: wholeNumber({
    section: TIKTOK,
    description: 'Requests to the sign service per minute and key, shared by all workers.',
    defaultText: '10',
    min: 1,
    max: 10_000,
  }),
  TIKTOK_WEB_HOST: text({
    section: TIKTOK,
    description: "Host of TikTok's web pages. Point it at a simulator to try things out.",
    defaultText: 'www.tiktok.com',
    allowed: HOST_ALLOWED,
    pattern: HOST_PATTERN,
  }),
  TIKTOK_WEBCAST_HOST: text({
    section: TIKTOK,
    description: "Host of TikTok's Webcast routes.",
    defaultText: 'webcast.tiktok.com',
    allowed: HOST_ALLOWED,
    pattern: HOST_PATTERN,
  }),

  TALLYLIGHT_SILENCE_MS: wholeNumber({
    section: INGEST,
    description:
      'A connection silent for this long counts as stalled, and a gap is recorded. A live room ticks every 2 s.',
    defaultText: '45000',
    min: 1_000,
    max: 600_000,
  }),
  TALLYLIGHT_SILENCE_RECONNECT_MS: wholeNumber({
    section: INGEST,
    description: 'A connection silent for this long is opened anew.',
    defaultText: '90000',
    min: 1_000,
    max: 3_600_000,
  }),
  TALLYLIGHT_BACKOFF_MIN_MS: wholeNumber({
    section: INGEST,
    description:
      'Pause before the first attempt to reconnect; it doubles with each attempt, with 20 % jitter.',
    defaultText: '1000',
    min: 10,
    max: 60_000,
  }),
  TALLYLIGHT_BACKOFF_MAX_MS: wholeNumber({
    section: INGEST,
    description: 'Longest pause between two attempts to reconnect.',
    defaultText: '60000',
    min: 10,
    max: 3_600_000,
  }),
  TALLYLIGHT_OFFLINE_POLL_MS: wholeNumber({
    section: INGEST,
    description: 'How often a channel that is not live is looked at again.',
    defaultText: '60000',
    min: 1_000,
    max: DAY_MS,
  }),
  TALLYLIGHT_SUSPENDED_POLL_MS: wholeNumber({
    section: INGEST,
    description: 'How often a channel whose stream the provider suspended is looked at again.',
    defaultText: '600000',
    min: 1_000,
    max: DAY_MS,
  }),
  TALLYLIGHT_BLOCKED_POLL_MS: wholeNumber({
    section: INGEST,
    description: 'How often a channel is looked at again when the provider or the sign service refuses us.',
    defaultText: '600000',
    min: 1_000,
    max: DAY_MS,
  }),
  TALLYLIGHT_LEASE_MS: wholeNumber({
    section: INGEST,
    description: 'How long after an ingest process died another has its rooms, at most.',
    defaultText: '10000',
    min: 1_000,
    max: 300_000,
  }),
  TALLYLIGHT_ROOMS_MAX: wholeNumber({
    section: INGEST,
    description: 'Rooms that one ingest process holds at most. More rooms need more processes.',
    defaultText: '200',
    min: 1,
    max: 5_000,
  }),

  TALLYLIGHT_BUS_PREFIX: text({
    section: BUS,
    description: 'Prefix of every Redis key and topic, so that installations can share one Redis.',
    defaultText: 'tallylight',
    allowed: PREFIX_ALLOWED,
    pattern: PREFIX_PATTERN,
  }),
  TALLYLIGHT_BUS_GROUP_PREFIX: text({
    section: BUS,
    description: 'Prefix of consumer group names.',
    defaultText: 'tallylight',
    allowed: PREFIX_ALLOWED,
    pattern: PREFIX_PATTERN,
  }),
  TALLYLIGHT_BUS_SHARDS: wholeNumber({
    section: BUS,
    description: 'Streams that channels are spread over. The same for all processes of an installation.',
    defaultText: '8',
    min: 1,
    max: 256,
  }),
  TALLYLIGHT_BUS_STREAM_EVENTS_MAX: wholeNumber({
    section: BUS,
    description:
      'Events that a shard keeps for consumers that are behind; after that appends wait. Unset: 100000 in Redis, 20000 in process.',
    defaultText: null,
    min: 1_000,
    max: 100_000_000,
  }),

  TALLYLIGHT_POOL_MAX: wholeNumber({
    section: STORAGE,
    description:
      'Connections to PostgreSQL per process, at most; made as they are needed. `start` is three processes in one, each with as many. The job queue has up to 4 more.',
    defaultText: '10',
    min: 2,
    max: 500,
  }),
  TALLYLIGHT_STATEMENT_TIMEOUT_MS: wholeNumber({
    section: STORAGE,
    description: 'PostgreSQL gives up a statement that takes longer than this.',
    defaultText: '15000',
    min: 100,
    max: 3_600_000,
  }),
  TALLYLIGHT_STORAGE_BATCH_MAX: wholeNumber({
    section: STORAGE,
    description:
      'Events the storage worker takes from the bus at a time, at most. It stores them 500 to a statement.',
    defaultText: '4000',
    min: 1,
    max: 10_000,
  }),
  TALLYLIGHT_STORAGE_LINGER_MS: wholeNumber({
    section: STORAGE,
    description: 'How long the storage worker waits for a fuller batch.',
    defaultText: '20',
    min: 0,
    max: 5_000,
  }),

  TALLYLIGHT_LOG_LEVEL: logLevel({
    section: PROCESS,
    description: 'How much is logged. Unset: `warn` for `start`, `info` for everything else.',
    defaultText: null,
  }),
  TALLYLIGHT_CONFORMANCE: flag({
    section: PROCESS,
    description:
      'For conformance suites: queries are taken by GET as well. Has no effect without TALLYLIGHT_DEVELOPMENT.',
    defaultText: 'false',
  }),
  TALLYLIGHT_DEVELOPMENT: flag({
    section: PROCESS,
    description:
      'For work on Tallylight itself: error answers carry stacks and the schema may be asked for. Never in production.',
    defaultText: 'false',
  }),
} as const satisfies Readonly<Record<string, Variable<unknown>>>;

/** The name of an environment variable of ours. */
export type VariableName = keyof typeof VARIABLES;

/** What each variable's text becomes. */
export type VariableValues = {
  readonly [Name in VariableName]: (typeof VARIABLES)[Name] extends Variable<infer Value> ? Value : never;
};
