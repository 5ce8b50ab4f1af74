import { expect, it } from 'vitest';
import { isLoopbackHost } from '../../src/lib/loopback.ts';

it.each([
  ['localhost', true],
  ['LOCALHOST:8080', true],
  ['127.0.0.1', true],
  ['127.255.0.9:25', true],
  ['127.1', true],
  ['::1', true],
  ['[::1]', true],
  ['[::1]:587', true],
  ['127.0.0.1.evil.example', false],
  ['localhost.evil.example', false],
  ['127.evil.example', false],
  ['0.0.0.0', false],
  ['::', false],
  ['[::ffff:192.0.2.1]', false],
  ['192.0.2.127', false],
  ['user@evil.example', false],
  ['localhost@evil.example', false],
  ['no host at all', false],
  ['', false],
])('tells whether %j is this machine: %s', (host, is) => {
  expect(isLoopbackHost(host)).toBe(is);
});
