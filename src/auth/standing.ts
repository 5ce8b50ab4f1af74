import type { Reader, Standing } from './viewer.ts';

/** Whether the viewer is this on the whole installation. */
export function hasStanding(viewer: Reader, standing: Standing): boolean {
  if (viewer.kind === 'VIEW') return viewer.holds(`is ${standing}`);
  const owesFactor = viewer.kind === 'USER' && viewer.mfa === 'MISSING';
  switch (standing) {
    case 'anybody':
      return true;
    case 'signedIn':
      return viewer.kind === 'USER';
    case 'user':
      return viewer.kind === 'USER' && !owesFactor;
    case 'viewer':
      return viewer.kind !== 'ANONYMOUS' && !owesFactor;
    case 'reader':
      return viewer.kind !== 'ANONYMOUS' && viewer.kind !== 'OVERLAY' && !owesFactor;
    case 'operator':
      return viewer.kind === 'OPERATOR';
  }
}
