import type { LogLevel } from '../lib/logger.ts';
import type { OidcProviderConfig } from './oidc-providers.ts';
import type { Secret } from './secret.ts';
import type { VariableValues } from './variables.ts';

const MINUTE_MS = 60_000;

/** The whole configuration, frozen. Names end in their unit. */
export interface Config {
  readonly database: {
    /** Null: the embedded PostgreSQL. */
    readonly url: Secret | null;
    readonly poolMax: number;
    readonly statementTimeoutMs: number;
  };
  readonly bus: {
    /** Null: the in-process bus. */
    readonly redisUrl: Secret | null;
    /** Files for `rediss://`; null: not given. */
    readonly tls: {
      readonly caPath: string | null;
      readonly certPath: string | null;
      readonly keyPath: string | null;
    };
    readonly keyPrefix: string;
    readonly groupPrefix: string;
    readonly shards: number;
    /** Null: the adapter's own default. */
    readonly streamEventsMax: number | null;
  };
  readonly dataDir: string;
  /** Null: kept in the data folder. */
  readonly masterKey: Secret | null;
  readonly api: {
    readonly host: string;
    readonly port: number;
    /** Null: in the clear. */
    readonly tls: { readonly certPath: string; readonly keyPath: string } | null;
    /** Null: made from host and port. */
    readonly publicUrl: string | null;
    readonly allowedOrigins: readonly string[];
    /** Who may send documents of their own. */
    readonly freeForm: 'trusted' | 'development' | 'anybody' | 'never';
    readonly metricsToken: Secret | null;
    readonly trustedProxies: readonly string[];
    readonly costPoints: number;
    readonly costPointsPerSecond: number;
    readonly operationDeadlineMs: number;
    /** Only true in development. */
    readonly conformance: boolean;
  };
  readonly session: {
    readonly store: 'lucia' | 'native';
    readonly idleMs: number;
    readonly absoluteMs: number;
  };
  readonly external: {
    readonly oidc: readonly OidcProviderConfig[];
    /** Null: not Clerk. */
    readonly clerk: {
      readonly issuer: string;
      readonly secretKey: Secret;
      readonly authorizedParties: readonly string[];
      readonly jwtKey: Secret | null;
      readonly webhookSecret: Secret | null;
      readonly publishableKey: string | null;
      readonly apiUrl: string;
      readonly opensAccounts: boolean;
    } | null;
  };
  readonly mail: {
    /** Null: written into a folder of the data folder. */
    readonly smtpUrl: Secret | null;
    readonly from: string;
  };
  readonly tiktok: {
    readonly provider: 'direct' | 'euler';
    readonly signUrl: string;
    readonly signKey: Secret | null;
    readonly signRatePerMinute: number;
    readonly webHost: string;
    readonly webcastHost: string;
  };
  readonly ingest: {
    readonly silenceMs: number;
    readonly silenceReconnectMs: number;
    readonly backoffMinMs: number;
    readonly backoffMaxMs: number;
    readonly offlinePollMs: number;
    readonly suspendedPollMs: number;
    readonly blockedPollMs: number;
    readonly leaseMs: number;
    readonly roomsMax: number;
  };
  readonly storage: {
    readonly batchMax: number;
    readonly lingerMs: number;
  };
  /** Null: the command's own default. */
  readonly logLevel: LogLevel | null;
  readonly development: boolean;
}

/** The tree made of the variables' values. */
export function configOf(values: VariableValues): Config {
  return freeze({
    database: {
      url: values.DATABASE_URL,
      poolMax: values.TALLYLIGHT_POOL_MAX,
      statementTimeoutMs: values.TALLYLIGHT_STATEMENT_TIMEOUT_MS,
    },
    bus: {
      redisUrl: values.REDIS_URL,
      tls: {
        caPath: values.TALLYLIGHT_REDIS_CA_FILE,
        certPath: values.TALLYLIGHT_REDIS_CERT_FILE,
        keyPath: values.TALLYLIGHT_REDIS_KEY_FILE,
      },
      keyPrefix: values.TALLYLIGHT_BUS_PREFIX,
      groupPrefix: values.TALLYLIGHT_BUS_GROUP_PREFIX,
      shards: values.TALLYLIGHT_BUS_SHARDS,
      streamEventsMax: values.TALLYLIGHT_BUS_STREAM_EVENTS_MAX,
    },
    dataDir: values.TALLYLIGHT_DATA_DIR,
    masterKey: values.TALLYLIGHT_MASTER_KEY,
    api: {
      host: values.TALLYLIGHT_HOST,
      port: values.TALLYLIGHT_PORT,
      tls: tlsOf(values),
      publicUrl: values.TALLYLIGHT_PUBLIC_URL,
      allowedOrigins: values.TALLYLIGHT_ALLOWED_ORIGINS,
      freeForm: values.TALLYLIGHT_FREE_FORM,
      metricsToken: values.TALLYLIGHT_METRICS_TOKEN,
      trustedProxies: values.TALLYLIGHT_TRUSTED_PROXIES,
      costPoints: values.TALLYLIGHT_COST_POINTS,
      costPointsPerSecond: values.TALLYLIGHT_COST_POINTS_PER_SECOND,
      operationDeadlineMs: values.TALLYLIGHT_OPERATION_DEADLINE_MS,
      conformance: values.TALLYLIGHT_DEVELOPMENT && values.TALLYLIGHT_CONFORMANCE,
    },
    session: {
      store: values.TALLYLIGHT_SESSION_STORE,
      idleMs: values.TALLYLIGHT_SESSION_IDLE_MINUTES * MINUTE_MS,
      absoluteMs: values.TALLYLIGHT_SESSION_MAX_MINUTES * MINUTE_MS,
    },
    external: { oidc: values.TALLYLIGHT_OIDC_PROVIDERS, clerk: clerkOf(values) },
    mail: { smtpUrl: values.TALLYLIGHT_SMTP_URL, from: values.TALLYLIGHT_MAIL_FROM },
    tiktok: {
      provider: values.TIKTOK_PROVIDER,
      signUrl: values.TIKTOK_SIGN_URL,
      signKey: values.TIKTOK_SIGN_KEY,
      signRatePerMinute: values.TIKTOK_SIGN_RATE_PER_MINUTE,
      webHost: values.TIKTOK_WEB_HOST,
      webcastHost: values.TIKTOK_WEBCAST_HOST,
    },
    ingest: {
      silenceMs: values.TALLYLIGHT_SILENCE_MS,
      silenceReconnectMs: values.TALLYLIGHT_SILENCE_RECONNECT_MS,
      backoffMinMs: values.TALLYLIGHT_BACKOFF_MIN_MS,
      backoffMaxMs: values.TALLYLIGHT_BACKOFF_MAX_MS,
      offlinePollMs: values.TALLYLIGHT_OFFLINE_POLL_MS,
      suspendedPollMs: values.TALLYLIGHT_SUSPENDED_POLL_MS,
      blockedPollMs: values.TALLYLIGHT_BLOCKED_POLL_MS,
      leaseMs: values.TALLYLIGHT_LEASE_MS,
      roomsMax: values.TALLYLIGHT_ROOMS_MAX,
    },
    storage: {
      batchMax: values.TALLYLIGHT_STORAGE_BATCH_MAX,
      lingerMs: values.TALLYLIGHT_STORAGE_LINGER_MS,
    },
    logLevel: values.TALLYLIGHT_LOG_LEVEL,
    development: values.TALLYLIGHT_DEVELOPMENT,
  });
}

/** All that Clerk needs, or nothing: the parser refuses the one without the other. */
function clerkOf(values: VariableValues): Config['external']['clerk'] {
  const { TALLYLIGHT_CLERK_ISSUER: issuer, TALLYLIGHT_CLERK_SECRET_KEY: secretKey } = values;
  if (issuer === null || secretKey === null) return null;
  return {
    issuer,
    secretKey,
    authorizedParties: values.TALLYLIGHT_CLERK_AUTHORIZED_PARTIES,
    jwtKey: values.TALLYLIGHT_CLERK_JWT_KEY,
    webhookSecret: values.TALLYLIGHT_CLERK_WEBHOOK_SECRET,
    publishableKey: values.TALLYLIGHT_CLERK_PUBLISHABLE_KEY,
    apiUrl: values.TALLYLIGHT_CLERK_API_URL,
    opensAccounts: values.TALLYLIGHT_CLERK_OPENS_ACCOUNTS,
  };
}

/** Both files, or none: the parser refuses one without the other. */
function tlsOf({ TLS_CERT_FILE: certPath, TLS_KEY_FILE: keyPath }: VariableValues): Config['api']['tls'] {
  return certPath === null || keyPath === null ? null : { certPath, keyPath };
}

/** Freezes a tree of plain objects and lists; secrets guard themselves. */
function freeze<T extends object>(tree: T): T {
  for (const branch of Object.values(tree)) {
    if (typeof branch === 'object' && branch !== null) freeze(branch);
  }
  return Object.freeze(tree);
}
