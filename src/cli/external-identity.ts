import type { ExternalSettings } from '../auth/external/settings.ts';
import type { Config } from '../config/config.ts';

/** The providers that are configured, their secrets in the open for what talks to them. */
export function externalSettingsOf({ external }: Config): ExternalSettings {
  const { clerk, oidc } = external;
  return {
    oidc: oidc.map((provider) => ({ ...provider, clientSecret: provider.clientSecret?.reveal() ?? null })),
    clerk:
      clerk === null
        ? null
        : {
            ...clerk,
            secretKey: clerk.secretKey.reveal(),
            // In a line of an environment file it cannot be broken into lines.
            jwtKey: clerk.jwtKey?.reveal().replaceAll('\\n', '\n') ?? null,
            webhookSecret: clerk.webhookSecret?.reveal() ?? null,
          },
  };
}
