/** SQLSTATE classes of statements that will fail again: bad data, a broken constraint, a wrong statement or schema. */
const PERMANENT_CLASSES = ['22', '23', '42'];

/** True when trying the same statement again cannot help; false for everything that an outage or a conflict explains. */
export function isPermanentFailure(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return error.code.length === 5 && PERMANENT_CLASSES.includes(error.code.slice(0, 2));
}
