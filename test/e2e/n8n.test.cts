/**
 * The packed package in a real n8n server, against the sandbox: what a user of the editor does, done over n8n's own REST
 * interface. One n8n serves all suites, because its start takes longer than all of their workflows.
 */
import { expectCleanBooks } from '../support/books.cjs';
import { callbackFindingsSuite } from './callbackFindings.suite.cjs';
import { crashSuite } from './crash.suite.cjs';
import { credentialSuite } from './credential.suite.cjs';
import { errorsSuite } from './errors.suite.cjs';
import { exampleAgentSuite } from './exampleAgent.suite.cjs';
import { exampleBatchSuite } from './exampleBatch.suite.cjs';
import { examplesSuite } from './examples.suite.cjs';
import { exampleVideosSuite } from './exampleVideos.suite.cjs';
import { findingsSuite } from './findings.suite.cjs';
import { hostileSuite } from './hostile.suite.cjs';
import { hostParitySuite } from './hostParity.suite.cjs';
import { installedSuite } from './installed.suite.cjs';
import { onErrorSuite } from './onError.suite.cjs';
import { operationsSuite } from './operations.suite.cjs';
import { pauseSuite } from './pause.suite.cjs';
import { retrySuite } from './retry.suite.cjs';
import { secretsSuite } from './secrets.suite.cjs';
import { stopSuite } from './stop.suite.cjs';
import { triggerSuite } from './trigger.suite.cjs';
import { startWorld, stopWorld, tidyWorld, world } from './world.cjs';

/** Milliseconds: the first start of n8n makes its database. */
const START_TIMEOUT = 240_000;

jest.setTimeout(60_000);

beforeAll(startWorld, START_TIMEOUT);
afterAll(stopWorld, 60_000);
beforeEach(tidyWorld);
afterEach(() => {
	const { callbacks, apiKey } = world().sandbox;
	expectCleanBooks(world().sandbox);
	const told = JSON.stringify(callbacks.deliveries.map(({ answer }) => answer));
	expect(told).not.toContain(apiKey);
	expect(told).not.toMatch(/seedance_sig|signature=/);
});

describe('the installed package', installedSuite);
describe('the credential test', credentialSuite);
describe('operation', operationsSuite);
describe('an error of the API', errorsSuite);
describe('On Error', onErrorSuite);
describe('Stop', stopSuite);
describe('Retry', retrySuite);
describe('Pause Until Callback', pauseSuite);
describe('a callback that comes in another way', callbackFindingsSuite);
describe('a crash of n8n', crashSuite);
describe('Seedance Trigger', triggerSuite);
describe('a hostile sender', hostileSuite);
describe('the trigger host of the integration tests', hostParitySuite);
describe('example', exampleVideosSuite);
describe('example batch-with-credit-limit.json', exampleBatchSuite);
describe('example agent.json', exampleAgentSuite);
describe('example', examplesSuite);
describe('a finding', findingsSuite);
describe('secrets', secretsSuite);
