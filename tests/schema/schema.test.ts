import { readFile } from 'node:fs/promises';
import {
  buildSchema,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isNonNullType,
  isObjectType,
  isUnionType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { printedSchema } from '../../codegen.ts';
import { EVENT_TYPES } from '../../src/events/unified-event.ts';
import { EVENT_TYPENAMES } from '../../src/resolvers/event.ts';
import { schema } from '../../src/schema/index.ts';
import { fieldsWithoutScope } from '../../src/schema/scope-check.ts';

const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));
const composites = types.filter((type) => isObjectType(type) || isInterfaceType(type));
const fields = composites.flatMap((type) =>
  Object.values(type.getFields()).map((field) => ({ name: `${type.name}.${field.name}`, field, type })),
);

describe('the schema', () => {
  it('is the printed one', async () => {
    const file = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
    // When this fails: npm run schema, and look at what changed.
    expect(file).toBe(printedSchema());
  });

  it('describes every type, field, argument and enum value', () => {
    const silent: string[] = [];
    const note = (name: string, description: string | null | undefined) => {
      if (!description?.trim()) silent.push(name);
    };
    for (const type of types) {
      if (['ID', 'Int', 'Float', 'String', 'Boolean'].includes(type.name)) continue;
      note(type.name, type.description);
      if (isEnumType(type))
        for (const value of type.getValues()) note(`${type.name}.${value.name}`, value.description);
      if (isInputObjectType(type)) {
        for (const field of Object.values(type.getFields()))
          note(`${type.name}.${field.name}`, field.description);
      }
    }
    for (const { name, field } of fields) {
      note(name, field.description);
      for (const arg of field.args) note(`${name}(${arg.name})`, arg.description);
    }
    expect(silent).toEqual([]);
  });

  it('[T-E1] declares for every field who may read it', () => {
    expect(fieldsWithoutScope(schema)).toEqual([]);
    // The check sees what nobody decided: a schema that was never given scopes.
    expect(
      fieldsWithoutScope(
        buildSchema('type Query { a: Int } interface I { b: Int } type T implements I { b: Int }'),
      ),
    ).toEqual(['Query.a', 'I.b', 'T.b']);
  });

  it('names its connections and gives their pages one shape', () => {
    const connections = composites.filter(({ name }) => name.endsWith('Connection'));
    expect(connections.map(({ name }) => name).sort()).toEqual([
      'AuditEntryConnection',
      'ChannelConnection',
      'ChannelInvitationConnection',
      'ChannelTeamConnection',
      'ClientConnection',
      'EventConnection',
      'GapConnection',
      'GifterConnection',
      'MemberHandleConnection',
      'MembershipConnection',
      'SessionConnection',
      'StreamConnection',
      'StreamMinuteConnection',
      'UserAccountConnection',
    ]);
    for (const type of connections) {
      const shape = Object.values(type.getFields()).map((field) => `${field.name}: ${field.type}`);
      expect(shape).toEqual([`edges: [${type.name.replace('Connection', 'Edge')}!]!`, 'pageInfo: PageInfo!']);
    }
    for (const { name, field } of fields) {
      if (!String(field.type).endsWith('Connection!')) continue;
      const first = field.args.find((arg) => arg.name === 'first');
      expect([name, String(first?.type), first?.defaultValue]).toEqual([name, 'Int!', 20]);
    }
  });

  it('gives every mutation one input and a result that lists its refusals', () => {
    for (const field of Object.values(schema.getMutationType()?.getFields() ?? {})) {
      expect(field.args.map((arg) => arg.name)).toEqual(['input']);
      const result = isNonNullType(field.type) ? field.type.ofType : null;
      if (!isUnionType(result)) throw new Error(`${field.name} returns no union`);
      const name = `${field.name[0]?.toUpperCase()}${field.name.slice(1)}`;
      expect(result.name).toBe(`${name}Result`);
      const interfaces = result.getTypes().map((member) => [member.name, member.getInterfaces().map(String)]);
      const payloads = result.getTypes().filter((member) => member.name === `${name}Payload`);
      // A payload may have fields in common with others, and is no refusal.
      expect(payloads.map((payload) => payload.getInterfaces().map(String).includes('UserError'))).toEqual([
        false,
      ]);
      for (const [member, implemented] of interfaces) {
        if (member !== `${name}Payload`) expect([member, implemented]).toEqual([member, ['UserError']]);
      }
    }
  });

  it('has a concrete type for every type of event', () => {
    const event = schema.getType('Event');
    if (!isInterfaceType(event)) throw new Error('Event is an interface');
    expect(
      schema
        .getPossibleTypes(event)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(EVENT_TYPES.map((type) => EVENT_TYPENAMES[type]).sort());
  });
});
