import { type Account, loadAccounts } from '../auth/accounts/account.ts';
import type { AppContext } from '../context.ts';

export async function queryViewer(
  _root: unknown,
  _args: object,
  { viewer, services }: AppContext,
): Promise<Account | null> {
  if (viewer.kind !== 'USER') return null;
  const [account] = await loadAccounts(services, [viewer.userId]);
  return account ?? null;
}
