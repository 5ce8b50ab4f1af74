/** What is written to people, by occasion. Plain text: nothing in it is a link that somebody else could have chosen. */
export type Letter =
  | { readonly kind: 'VERIFY_EMAIL'; readonly token: string }
  | { readonly kind: 'ALREADY_SIGNED_UP' }
  | { readonly kind: 'RESET_PASSWORD'; readonly token: string }
  | { readonly kind: 'PASSWORD_CHANGED' }
  | { readonly kind: 'CONFIRM_NEW_EMAIL'; readonly token: string }
  | { readonly kind: 'EMAIL_CHANGED' }
  | { readonly kind: 'IDENTITY_LINKED'; readonly provider: string }
  | { readonly kind: 'IDENTITY_UNLINKED'; readonly provider: string }
  | { readonly kind: 'INVITATION'; readonly token: string; readonly hours: number };

/** Subject and text of a letter. `url` is where the installation is reached. */
export function wordingOf(letter: Letter, url: string): { readonly subject: string; readonly text: string } {
  const { subject, lines } = wording(letter);
  return { subject, text: [...lines.flatMap(wrapped), '', `Tallylight at ${url}`, ''].join('\n') };
}

/** Longer lines would have the whole text encoded, and codes broken in two for who reads the file as it is. */
const LINE_LENGTH_MAX = 72;

/** A paragraph in lines that every mail program takes as they are; what is indented stays as it is. */
function wrapped(paragraph: string): readonly string[] {
  if (paragraph.startsWith(' ')) return [paragraph];
  const lines = [''];
  for (const word of paragraph.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= LINE_LENGTH_MAX) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function wording(letter: Letter): { readonly subject: string; readonly lines: readonly string[] } {
  switch (letter.kind) {
    case 'VERIFY_EMAIL':
      return {
        subject: 'Confirm your e-mail address',
        lines: [
          'Somebody, most likely you, signed up with this address. To confirm it, enter this code within 24 hours:',
          '',
          `  ${letter.token}`,
          '',
          'If it was not you, do nothing.',
        ],
      };
    case 'ALREADY_SIGNED_UP':
      return {
        subject: 'You already have an account',
        lines: [
          'Somebody, most likely you, tried to sign up with this address, which has an account already.',
          'Sign in with it, or ask for a new password. If it was not you, do nothing: nothing has changed.',
        ],
      };
    case 'RESET_PASSWORD':
      return {
        subject: 'Choose a new password',
        lines: [
          'Somebody, most likely you, asked for a new password. To choose one, enter this code within 30 minutes:',
          '',
          `  ${letter.token}`,
          '',
          'If it was not you, do nothing: the old password stays.',
        ],
      };
    case 'PASSWORD_CHANGED':
      return {
        subject: 'Your password was changed',
        lines: [
          'The password of your account was changed, and everybody who was signed in was signed out.',
          'If it was not you, ask for a new password at once.',
        ],
      };
    case 'CONFIRM_NEW_EMAIL':
      return {
        subject: 'Confirm your new e-mail address',
        lines: [
          'To use this address for your account, enter this code within 24 hours:',
          '',
          `  ${letter.token}`,
          '',
          'If it was not you, do nothing.',
        ],
      };
    case 'INVITATION':
      return {
        subject: 'You are invited into a team',
        lines: [
          `You are invited into the team of a channel. To accept, sign in with this address and enter this code within ${letter.hours} hours:`,
          '',
          `  ${letter.token}`,
          '',
          'If you know nothing of it, do nothing.',
        ],
      };
    case 'IDENTITY_LINKED':
      return {
        subject: 'Another way to sign in was added',
        lines: [
          `Your account can be signed in to with ${letter.provider} from now on.`,
          'If it was not you, unlink it, change your password, and sign out everywhere.',
        ],
      };
    case 'IDENTITY_UNLINKED':
      return {
        subject: 'A way to sign in was removed',
        lines: [
          `Your account can be signed in to with ${letter.provider} no more.`,
          'If you have no password yet, ask for a new one: a code is sent to this address.',
        ],
      };
    case 'EMAIL_CHANGED':
      return {
        subject: 'Your e-mail address was changed',
        lines: [
          'Your account uses another e-mail address from now on; this one was used before.',
          'If it was not you, tell whoever runs this installation.',
        ],
      };
  }
}
