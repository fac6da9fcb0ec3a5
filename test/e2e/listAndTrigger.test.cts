/** The list of videos, the trigger and the examples that post nothing, in a real n8n: as n8n.test.cts, at the same time. */
import './videoList.suite.cjs';
import './videoListContract.suite.cjs';
import './trigger.suite.cjs';
import './exampleVideos.suite.cjs';
import './exampleAgent.suite.cjs';
import './exampleTable.suite.cjs';
import { secretsSuite } from '../support/leaks.cjs';
import { n8n, useN8n } from '../support/n8n/world.cjs';

jest.setTimeout(60_000);
useN8n();

// The last one: it reads what all the others have left behind.
secretsSuite(() => n8n.log(), ['Seedance task', 'Seedance refused a callback']);
