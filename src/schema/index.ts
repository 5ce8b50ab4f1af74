import './scalars.ts';
import './channel.ts';
import './stream.ts';
import './session.ts';
import './sign-in.ts';
import './gap.ts';
import './event.ts';
import './event-types.ts';
import './chat-event.ts';
import './gift-event.ts';
import './battle-event.ts';
import './lifecycle-event.ts';
import './actor.ts';
import './audience-member.ts';
import './token.ts';
import './user.ts';
import './account-mutation.ts';
import './subscription.ts';
import './node.ts';
import './pipeline-link.ts';
import './team.ts';
import './channel-mutation.ts';
import './team-mutation.ts';
import './invitation-mutation.ts';
import './user-admin.ts';
import './replay-mutation.ts';
import './client.ts';
import './client-mutation.ts';
import { assertValidSchema } from 'graphql';
import { assert } from '../lib/assert.ts';
import { builder } from './builder.ts';
import { fieldsWithoutScope } from './scope-check.ts';

/** The schema of the API. Building it fails when a field has no declared scope: what nobody decided is denied. */
export const schema = builder.toSchema();

assertValidSchema(schema);
const undecided = fieldsWithoutScope(schema);
assert(undecided.length === 0, `fields without a declared scope: ${undecided.join(', ')}`);
