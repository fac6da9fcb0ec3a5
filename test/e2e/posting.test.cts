/**
 * The examples that post, in a real n8n with n8n's own nodes for the networks: the traffic of that n8n ends at stand-ins on
 * loopback, so it is another n8n than that of the other suites.
 */
import './postingNetworks.suite.cjs';
import './postingYouTube.suite.cjs';
import './postingThree.suite.cjs';
import './postingApproval.suite.cjs';
import './postingKeep.suite.cjs';
import './postingFailures.suite.cjs';
import './postingDocs.suite.cjs';
import { useNetworks } from '../support/networks/world.cjs';

jest.setTimeout(60_000);
useNetworks();
