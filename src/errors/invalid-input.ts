import { UserError } from './errors.ts';

/** One field of an input that cannot be accepted. */
export interface InputIssue {
  /** Where in the input, outermost name first. */
  readonly path: readonly string[];
  /** Stable, for programs. */
  readonly code: 'INVALID_FORMAT' | 'OUT_OF_RANGE';
  /** For people: what would be accepted. */
  readonly message: string;
}

/** The input of a mutation has fields that cannot be accepted; all of them are listed at once. */
export class InvalidInputError extends UserError {
  override readonly name = 'InvalidInputError';
  readonly code = 'INVALID_INPUT';
  readonly issues: readonly InputIssue[];

  constructor(issues: readonly InputIssue[]) {
    super(issues.map((issue) => issue.message).join(' '));
    this.issues = issues;
  }
}
