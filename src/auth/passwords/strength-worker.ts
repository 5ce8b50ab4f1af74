import { parentPort } from 'node:worker_threads';
import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary as common } from '@zxcvbn-ts/language-common';
import { dictionary as english, translations } from '@zxcvbn-ts/language-en';

// A thread of its own: judging one password may take a second, in which nobody else would be answered.
const judge = new ZxcvbnFactory({
  dictionary: { ...common, ...english },
  graphs: adjacencyGraphs,
  translations,
});

parentPort?.on(
  'message',
  ({ id, password, words }: { readonly id: number; readonly password: string; readonly words: string[] }) => {
    const { score, feedback } = judge.check(password, words);
    const suggestions = [feedback.warning, ...feedback.suggestions].filter((text) => text);
    parentPort?.postMessage({ id, score, suggestions });
  },
);
