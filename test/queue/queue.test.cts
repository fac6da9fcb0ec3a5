/**
 * The packed package in n8n's queue mode, against the sandbox: what is started on one process runs on another, which may
 * die. One n8n serves all suites, because its five processes take longer to start than all of the workflows.
 */
import { expectCleanBooks } from '../support/books.cjs';
import { executionSuite } from './execution.suite.cjs';
import { pauseSuite } from './pause.suite.cjs';
import { secretsSuite } from './secrets.suite.cjs';
import { triggerSuite } from './trigger.suite.cjs';
import { webhookSuite } from './webhook.suite.cjs';
import { workerSuite } from './worker.suite.cjs';
import { startWorld, stopWorld, tidyWorld, world } from './world.cjs';

/** Milliseconds: two starts of n8n, one after the other, the first of which makes the database. */
const START_TIMEOUT = 420_000;

jest.setTimeout(120_000);

beforeAll(startWorld, START_TIMEOUT);
afterAll(stopWorld, 60_000);
beforeEach(tidyWorld);
afterEach(() => expectCleanBooks(world().sandbox));

describe('an execution', executionSuite);
describe('a webhook process', webhookSuite);
describe('Seedance Trigger', triggerSuite);
describe('Pause Until Callback', pauseSuite);
describe('a worker that dies', workerSuite);
describe('secrets', secretsSuite);
