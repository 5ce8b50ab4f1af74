import { builder } from './builder.ts';

export const ProviderEnum = builder.enumType('Provider', {
  description: 'Where a stream or an event comes from.',
  values: {
    TIKTOK: { description: 'TikTok LIVE.' },
    PLATFORM: { description: 'Tallylight itself.' },
  } as const,
});
