/** A mail of plain text to one person. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** Hands mails to whoever brings them. */
export interface MailTransport {
  /** Resolves when the mail was taken. @throws DependencyError when it was not; `retryable` says whether to try again. */
  send(mail: Mail): Promise<void>;
  close(): void;
}
