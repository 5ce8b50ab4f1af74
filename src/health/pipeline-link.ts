/** The links between a room and an overlay, in the order events pass them. */
export const PIPELINE_LINKS = [
  'DATABASE',
  'BUS',
  'PROVIDER',
  'SIGN_SERVICE',
  'ROOM',
  'EVENTS',
  'STORAGE',
  'SUBSCRIBERS',
  'OVERLAY',
] as const;
export type PipelineLinkName = (typeof PIPELINE_LINKS)[number];

/** OK: works. WARNING: works, or will by itself, but look. FAILING: nothing passes until somebody acts. UNKNOWN: could not be looked at. */
export const LINK_STATES = ['OK', 'WARNING', 'FAILING', 'UNKNOWN'] as const;
export type LinkState = (typeof LINK_STATES)[number];

/** One link as it stands. */
export interface PipelineLink {
  readonly link: PipelineLinkName;
  readonly state: LinkState;
  /** What was found, in a sentence. Names no viewer. */
  readonly detail: string;
  /** What to do about it; null when there is nothing to do. */
  readonly advice: string | null;
}

/** What was found about a link, before it is put under the link's name. */
export type Finding = Omit<PipelineLink, 'link'>;

export const ok = (detail: string): Finding => ({ state: 'OK', detail, advice: null });
export const warning = (detail: string, advice: string | null): Finding => ({
  state: 'WARNING',
  detail,
  advice,
});
export const failing = (detail: string, advice: string): Finding => ({ state: 'FAILING', detail, advice });
export const unknown = (detail: string, advice: string | null = null): Finding => ({
  state: 'UNKNOWN',
  detail,
  advice,
});
