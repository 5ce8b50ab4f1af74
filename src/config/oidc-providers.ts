import { z } from 'zod';
import { Secret } from './secret.ts';
import { isSecureUrl } from './secure-url.ts';

/** Providers that can be set up. */
const PROVIDERS_MAX = 19;

const LINE = z
  .string()
  .min(1)
  .max(500)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u, 'must be one line');

/** An issuer is compared as text: it is kept as it is written. */
const ISSUER = z
  .string()
  .max(500)
  .refine(isSecureUrl, 'must be an https address (or http on this machine)')
  .refine((text) => URL.parse(text)?.search === '' && URL.parse(text)?.hash === '', 'must have no query');

const ORIGIN = z
  .string()
  .refine(
    (text) => isSecureUrl(text) && URL.parse(text)?.origin === text,
    'must be an origin such as https://example.com',
  );

const PROVIDER = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1 to 32 of the characters a-z, 0-9 and -')
    .refine((name) => name !== 'clerk', 'must not be clerk'),
  title: LINE.max(80),
  issuer: ISSUER,
  clientId: LINE,
  clientSecret: LINE.transform((text) => new Secret(text))
    .nullable()
    .default(null),
  clientAuthentication: z.enum(['client_secret_basic', 'client_secret_post']).default('client_secret_basic'),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/))
    .max(20)
    .default(['openid', 'email', 'profile'])
    .refine((scopes) => scopes.includes('openid'), 'must have openid among them'),
  origins: z.array(ORIGIN).max(10).default([]),
  opensAccounts: z.boolean().default(true),
});

const PROVIDERS = z
  .array(PROVIDER)
  .max(PROVIDERS_MAX)
  .superRefine((providers, context) => {
    for (const field of ['name', 'issuer'] as const) {
      const seen = new Set<string>();
      providers.forEach((provider, index) => {
        if (seen.has(provider[field])) {
          context.addIssue({ code: 'custom', path: [index, field], message: 'must not be there twice' });
        }
        seen.add(provider[field]);
      });
    }
  });

/** A provider of OpenID Connect, as it is configured. */
export type OidcProviderConfig = Readonly<z.output<typeof PROVIDER>>;

/** The providers in a text, or every problem with it: where it is, and what would be allowed there. Never what stands there. */
export function readOidcProviders(
  text: string,
): { readonly value: readonly OidcProviderConfig[] } | { readonly problems: readonly string[] } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { problems: ['it is not JSON'] };
  }
  const result = PROVIDERS.safeParse(json);
  if (result.success) return { value: result.data };
  return {
    problems: result.error.issues.map(({ path, message, code }) => {
      const where = path.length === 0 ? 'the whole' : path.join('.');
      // zod's own sentences name keys and kinds; those that name values are not among these.
      return `${where}: ${code === 'invalid_value' ? 'is not one of the words allowed' : message}`;
    }),
  };
}
