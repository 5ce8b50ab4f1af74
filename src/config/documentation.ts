import { variableNames } from './parse.ts';
import { VARIABLES } from './variables.ts';

/** The text of `.env.example`: every variable with what it does, what is allowed and its default, all commented out. */
export function envExample(): string {
  const lines = [
    '# Every setting of Tallylight. Written by `npm run env-example`; docs/configuration.md says the same.',
    '',
  ];
  let section = '';
  for (const name of variableNames()) {
    const variable = VARIABLES[name];
    if (variable.section !== section) lines.push(`## ${variable.section}`, '');
    section = variable.section;
    lines.push(`# ${variable.description}`, `# Must be ${variable.allowed}.`);
    if (variable.secret) lines.push(`# May also be given as a file: ${name}_FILE=/path/to/file`);
    lines.push(`# ${name}=${variable.defaultText ?? ''}`, '');
  }
  return lines.join('\n');
}

/** The table of variables in `docs/configuration.md`, one per section. */
export function configurationTables(): string {
  const lines: string[] = [];
  let section = '';
  for (const name of variableNames()) {
    const variable = VARIABLES[name];
    if (variable.section !== section) {
      lines.push('', `## ${variable.section}`, '', '| variable | default | meaning |', '|---|---|---|');
    }
    section = variable.section;
    const given =
      variable.defaultText === null
        ? 'unset'
        : variable.defaultText === ''
          ? 'empty'
          : `\`${variable.defaultText}\``;
    const secret = variable.secret ? ` Secret: also as \`${name}_FILE\`.` : '';
    lines.push(`| \`${name}\` | ${given} | ${variable.description} Must be ${variable.allowed}.${secret} |`);
  }
  return `${lines.join('\n').trim()}\n`;
}
