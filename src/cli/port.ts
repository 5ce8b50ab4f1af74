import { RefusedError } from './exit-code.ts';

/**
 * Starts something that listens on `port`.
 * @throws RefusedError when another program has it.
 */
export async function refuseTakenPort<T>(port: number, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EADDRINUSE') {
      throw new RefusedError(`port ${port} is taken by another program: stop it, or choose another port.`, {
        cause: error,
      });
    }
    if (code === 'EACCES') {
      throw new RefusedError(`this user may not listen on port ${port}: choose one above 1023.`, {
        cause: error,
      });
    }
    throw error;
  }
}
