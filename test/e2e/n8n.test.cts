/**
 * The packed package in a real n8n server, against the sandbox: what a user of the editor does, done over n8n's own REST
 * interface. One n8n serves all suites of a file, because its start takes longer than all of their workflows; the files run
 * at the same time.
 */
import './coreFlow.suite.cjs';
import './node.suite.cjs';
import './credential.suite.cjs';
import './pause.suite.cjs';
import { secretsSuite } from '../support/leaks.cjs';
import { n8n, useN8n } from '../support/n8n/world.cjs';

jest.setTimeout(60_000);
useN8n();

// The last one: it reads what all the others have left behind.
secretsSuite(() => n8n.log(), ['Seedance task']);
