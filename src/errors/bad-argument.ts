import { UserError } from './errors.ts';

/** An argument outside its documented range or form (a page size, a cursor, a time range). `argument` names it. */
export class BadArgumentError extends UserError {
  override readonly name = 'BadArgumentError';
  readonly code = 'BAD_USER_INPUT';
  readonly argument: string;

  constructor(argument: string, message: string) {
    super(message);
    this.argument = argument;
  }
}
